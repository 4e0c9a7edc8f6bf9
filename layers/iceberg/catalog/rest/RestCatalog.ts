import { Clock, Effect, type Scope } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import type { S3Options } from "../../io/S3ObjectStore.ts"
import type { Catalog, Table, TableName } from "../Catalog.ts"
import { checkName, showName } from "../tableName.ts"
import { commitTable } from "./commitTable.ts"
import { createTable } from "./createTable.ts"
import { makeAuthorizer, type RestAuth } from "./RestAuth.ts"
import { makeRestSession } from "./restSession.ts"
import { makeSigV4, type SigV4Options } from "./sigV4.ts"
import { accessOf, type TableAccess } from "./tableAccess.ts"
import { readTableResponse, type TableResponse } from "./tableResponse.ts"
import { makeTableStores } from "./tableStores.ts"

export interface RestCatalogOptions {
  readonly uri: string
  /** The catalog's name for the warehouse. */
  readonly warehouse?: string | undefined
  /** In the path of every request, unless the server names another. */
  readonly prefix?: string | undefined
  readonly auth?: RestAuth | undefined
  readonly sigV4?: SigV4Options | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How to access the files. If it contains credentials, none are requested from the catalog. */
  readonly s3?: S3Options | undefined
  /** Location of the folder that may contain local files. */
  readonly root?: string | undefined
}

const accessIn = ({ access, metadata }: TableResponse): Effect.Effect<TableAccess> =>
  Effect.map(Clock.currentTimeMillis, (now) => accessOf(access, metadata.location, now))

/** A server with Iceberg's REST protocol: it writes the metadata and decides commits by their requirements. */
export const makeRestCatalog = Effect.fnUntraced(function* (
  options: RestCatalogOptions
): Effect.fn.Return<Catalog, IcebergError, Scope.Scope> {
  const { headers = {}, prefix, root, s3, sigV4, uri, warehouse } = options
  const unsigned = yield* makeAuthorizer(uri, options.auth ?? { _tag: "None" })
  const authorizer = sigV4 === undefined ? unsigned : yield* makeSigV4(unsigned, sigV4)
  const session = yield* makeRestSession({ uri, warehouse, prefix, headers, authorizer })
  const stores = yield* makeTableStores({ s3, root })
  const delegation: Readonly<Record<string, string>> =
    s3?.credentials === undefined ? { "x-iceberg-access-delegation": "vended-credentials" } : {}

  const fetchTable = Effect.fnUntraced(function* (name: TableName) {
    const { table } = yield* session.paths
    return yield* session.get(table(name), `load ${showName(name)}`, delegation)
  })

  const tableOf = Effect.fnUntraced(function* (name: TableName, body: unknown): Effect.fn.Return<Table, IcebergError> {
    const response = yield* readTableResponse(body, name, session.host)
    const { metadata, metadataLocation } = response
    const reload = fetchTable(name).pipe(
      Effect.flatMap((latest) => readTableResponse(latest, name, session.host)),
      Effect.flatMap(accessIn)
    )
    const store = yield* stores.storeFor(showName(name), yield* accessIn(response), reload)
    return { name, metadata, metadataLocation, store }
  })

  const load = Effect.fnUntraced(function* (name: TableName): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    return yield* tableOf(name, yield* fetchTable(name))
  })

  return {
    load,
    create: (name, table) =>
      Effect.andThen(
        checkName(name),
        createTable(session, {
          name,
          table,
          headers: delegation,
          load: load(name),
          read: (body) => tableOf(name, body)
        })
      ),
    commit: (table, change) => commitTable(session, table, change, load(table.name))
  }
})
