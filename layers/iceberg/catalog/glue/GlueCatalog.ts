import type { Table as GlueTable } from "@aws-sdk/client-glue"
import { Effect, type Scope } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import { withoutSlash } from "../../io/location.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import type { TableMetadata } from "../../metadata/TableMetadata.ts"
import type { Catalog, TableName } from "../Catalog.ts"
import { makeFileCatalog } from "../fileCatalog.ts"
import type { Pointer } from "../swapPointer.ts"
import { showName } from "../tableName.ts"
import { type GlueOptions, type GlueRequests, makeGlueRequests } from "./GlueRequests.ts"
import { METADATA_LOCATION, TABLE_TYPE, tableInput } from "./glueTable.ts"

/** Longest value of a table's parameter, in bytes. */
const MAX_PARAMETER = 512_000

const DATABASE = /^[a-z0-9_]{1,252}$/
const TABLE = /^[a-z0-9_]{1,255}$/

export interface GlueCatalogOptions extends GlueOptions {
  readonly store: ObjectStore
  /** Location of the parent folder of databases that have no location of their own. */
  readonly warehouse?: string | undefined
}

const databaseOf = ({ namespace }: TableName): string => namespace[0] ?? ""

const check = (table: TableName): Effect.Effect<void, IcebergError> =>
  table.namespace.length === 1 && DATABASE.test(databaseOf(table)) && TABLE.test(table.name)
    ? Effect.void
    : Effect.fail(
        IcebergError.invalid(
          `${showName(table)} is not a valid name in Glue: use database.table, with lowercase letters, digits and underscores.`
        )
      )

const findTable = Effect.fnUntraced(function* (
  { account, find, sdk, service }: GlueRequests,
  name: TableName
): Effect.fn.Return<{ readonly table: GlueTable; readonly location: string }, IcebergError> {
  const request = { ...account, DatabaseName: databaseOf(name), Name: name.name }
  const found = yield* find(showName(name), (client, options) => client.send(new sdk.GetTableCommand(request), options))
  const table = found?.Table
  if (table === undefined) return yield* IcebergError.notFound(`${service} has no table ${showName(name)}.`)
  const location = table.Parameters?.[METADATA_LOCATION]
  if (table.Parameters?.[TABLE_TYPE]?.toLowerCase() !== "iceberg" || location === undefined) {
    return yield* IcebergError.invalid(
      `${showName(name)} in ${service} is not an Iceberg table: choose another name, or drop it.`
    )
  }
  return { table, location }
})

/** The pointer to a table's metadata file. `next` is the metadata that a swap commits. */
const pointerTo = (requests: GlueRequests, name: TableName, next: TableMetadata | undefined): Pointer => {
  const { account, change, sdk } = requests
  const DatabaseName = databaseOf(name)
  const what = `table ${showName(name)}`

  const create = (metadata: TableMetadata, ours: string) => {
    const TableInput = tableInput(name.name, metadata, ours, null, undefined)
    const request = { ...account, DatabaseName, TableInput }
    return change("create", what, "AlreadyExistsException", (client, options) =>
      client.send(new sdk.CreateTableCommand(request), options)
    )
  }
  const update = Effect.fnUntraced(function* (metadata: TableMetadata, base: string, ours: string) {
    const { location, table } = yield* findTable(requests, name)
    if (location !== base) return false
    const request = {
      ...account,
      DatabaseName,
      TableInput: tableInput(name.name, metadata, ours, base, table),
      VersionId: table.VersionId,
      SkipArchive: true
    }
    return yield* change("change", what, "ConcurrentModificationException", (client, options) =>
      client.send(new sdk.UpdateTableCommand(request), options)
    )
  })

  return {
    read: Effect.map(findTable(requests, name), ({ location }) => location),
    swap: (base, ours) => {
      if (next === undefined) return Effect.die(new Error(`No metadata to commit to ${showName(name)}.`))
      return base === null ? create(next, ours) : update(next, base, ours)
    }
  }
}

const createDatabase = ({ account, change, sdk }: GlueRequests, database: string) => {
  const request = { ...account, DatabaseInput: { Name: database } }
  return change("create", `database ${database}`, "AlreadyExistsException", (client, options) =>
    client.send(new sdk.CreateDatabaseCommand(request), options)
  ).pipe(
    // If it was created after all, the next attempt finds it.
    Effect.mapError((error) => (error.reason === "Unknown" ? IcebergError.unavailable(error.message) : error))
  )
}

/** Creates the database if it is missing and returns the location for a new table's files. */
const prepare = Effect.fnUntraced(function* (
  requests: GlueRequests,
  warehouse: string | undefined,
  name: TableName
): Effect.fn.Return<string, IcebergError> {
  const { account, find, sdk, service } = requests
  const database = databaseOf(name)
  const request = { ...account, Name: database }
  const found = yield* find(`database ${database}`, (client, options) =>
    client.send(new sdk.GetDatabaseCommand(request), options)
  )
  if (found === null) yield* createDatabase(requests, database)
  const own = found?.Database?.LocationUri
  if (own !== undefined && own !== "") return `${withoutSlash(own)}/${name.name}`
  if (warehouse === undefined) {
    return yield* IcebergError.invalid(`The database ${database} in ${service} has no location: set a warehouse.`)
  }
  return `${withoutSlash(warehouse)}/${database}.db/${name.name}`
})

/**
 * Tables in AWS Glue's Data Catalog, stored as by Iceberg's GlueCatalog. Glue's version id of the table decides between
 * concurrent commits.
 */
export const makeGlueCatalog = Effect.fnUntraced(function* ({
  store,
  warehouse,
  ...options
}: GlueCatalogOptions): Effect.fn.Return<Catalog, IcebergError, Scope.Scope> {
  const requests = yield* makeGlueRequests(options)
  return makeFileCatalog({
    store,
    maxLocation: MAX_PARAMETER,
    check,
    pointer: (name, next) => pointerTo(requests, name, next),
    prepare: (name) => prepare(requests, warehouse, name)
  })
})
