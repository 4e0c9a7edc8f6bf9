import type { GlueClient, Table as GlueTable } from "@aws-sdk/client-glue"
import { type Duration, Effect, Schedule, type Scope } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { type AwsCredentials, CHAIN, sdkCredentials } from "../../io/AwsCredentials.ts"
import { type AwsFailure, awsFailure } from "../../io/awsFailure.ts"
import { withoutSlash } from "../../io/location.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import type { Catalog, TableName } from "../Catalog.ts"
import { makeFileCatalog } from "../fileCatalog.ts"
import type { Pointer } from "../swapPointer.ts"
import { showName } from "../tableName.ts"
import { METADATA_LOCATION, TABLE_TYPE, tableInput } from "./glueTable.ts"

/** Glue answers in some tens of ms. */
const DEADLINE: Duration.Input = "20 seconds"
const CONNECT_TIMEOUT_MS = 5_000
/** How long an unavailable or throttling Glue is asked again, when asking changes nothing. */
const RETRY_FOR = "20 seconds"
const FIRST_RETRY_MS = 200
const LAST_RETRY_MS = 2_000
/** Longest value of a table's parameter, in bytes. */
const MAX_PARAMETER = 512_000

const DATABASE = /^[a-z0-9_]{1,252}$/
const TABLE = /^[a-z0-9_]{1,255}$/

const PERMISSIONS = "glue:GetDatabase, glue:CreateDatabase, glue:GetTable, glue:CreateTable and glue:UpdateTable"

export interface GlueCatalogOptions {
  readonly store: ObjectStore
  /** The folder, by its location, of databases that have none of their own. */
  readonly warehouse?: string | undefined
  readonly region?: string | undefined
  /** Of a service that is not AWS. */
  readonly endpoint?: string | undefined
  readonly credentials?: AwsCredentials | undefined
  /** The account whose catalog it is; by default the credentials'. */
  readonly catalogId?: string | undefined
}

/** Tables in AWS Glue's Data Catalog, as Iceberg's GlueCatalog keeps them. Commits are decided by the table's version id. */
export const makeGlueCatalog = Effect.fnUntraced(function* (
  options: GlueCatalogOptions
): Effect.fn.Return<Catalog, IcebergError, Scope.Scope> {
  const { catalogId, credentials = CHAIN, endpoint, region, store } = options
  const sdk = yield* Effect.tryPromise({
    try: () => import("@aws-sdk/client-glue"),
    catch: (cause) => icebergError("Invalid", `The package @aws-sdk/client-glue can't be loaded: ${String(cause)}`)
  })
  const context = yield* Effect.context<never>()
  const client: GlueClient = yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        new sdk.GlueClient({
          ...(region === undefined ? {} : { region }),
          ...(endpoint === undefined ? {} : { endpoint }),
          ...sdkCredentials(credentials, context),
          // Refused after a repetition may mean refused because of the first one.
          maxAttempts: 1,
          requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS }
        }),
      catch: (cause) => icebergError("Invalid", `Glue can't be used as it is set: ${String(cause)}`)
    }),
    (client) => Effect.sync(() => client.destroy())
  )
  const service =
    endpoint === undefined
      ? `AWS Glue${region === undefined ? "" : ` in ${region}`}`
      : `Glue at ${URL.parse(endpoint)?.host}`
  const account = catalogId === undefined ? {} : { CatalogId: catalogId }

  const once = <A>(
    verb: string,
    what: string,
    use: (signal: AbortSignal) => Promise<A>
  ): Effect.Effect<A, AwsFailure> => {
    const request = { service, verb, what, permissions: PERMISSIONS }
    return Effect.tryPromise({ try: use, catch: (cause) => awsFailure(cause, request) }).pipe(
      Effect.timeoutOrElse({
        duration: DEADLINE,
        orElse: () => Effect.fail(awsFailure({ code: `no answer within ${DEADLINE}` }, request))
      })
    )
  }
  const named = (code: string) => (failure: AwsFailure) => failure.code === code
  /** Asks as often as it takes; undefined of what Glue does not have. */
  const find = <A>(
    what: string,
    use: (signal: AbortSignal) => Promise<A>
  ): Effect.Effect<A | undefined, IcebergError> =>
    once("read", what, use).pipe(
      Effect.catchIf(named("EntityNotFoundException"), () => Effect.succeed(undefined)),
      Effect.mapError(({ error }) => error),
      Effect.retry({
        while: (error) => error.reason === "Unavailable",
        schedule: Schedule.min([Schedule.exponential(FIRST_RETRY_MS), Schedule.spaced(LAST_RETRY_MS)]).pipe(
          Schedule.jittered,
          Schedule.upTo({ duration: RETRY_FOR })
        )
      })
    )
  /** Once; what is not certain to have had no effect is `Unknown`. */
  const change = (
    verb: string,
    what: string,
    refusal: string,
    use: (signal: AbortSignal) => Promise<unknown>
  ): Effect.Effect<boolean, IcebergError> =>
    once(verb, what, use).pipe(
      Effect.as(true),
      Effect.catchIf(named(refusal), () => Effect.succeed(false)),
      Effect.mapError((failure: AwsFailure) => {
        if (failure.code === "EntityNotFoundException") return icebergError("NotFound", `${service} has no ${what}.`)
        return failure.certain ? failure.error : icebergError("Unknown", failure.error.message)
      })
    )

  const databaseOf = ({ namespace }: TableName): string => namespace[0] ?? ""

  const glueTable = Effect.fnUntraced(function* (
    name: TableName
  ): Effect.fn.Return<{ readonly table: GlueTable; readonly location: string }, IcebergError> {
    const found = yield* find(showName(name), (signal) =>
      client.send(new sdk.GetTableCommand({ ...account, DatabaseName: databaseOf(name), Name: name.name }), {
        abortSignal: signal
      })
    )
    const table = found?.Table
    if (table === undefined) return yield* icebergError("NotFound", `${service} has no table ${showName(name)}.`)
    const location = table.Parameters?.[METADATA_LOCATION]
    if (table.Parameters?.[TABLE_TYPE]?.toLowerCase() !== "iceberg" || location === undefined) {
      return yield* icebergError(
        "Invalid",
        `${showName(name)} in ${service} is no Iceberg table: take another name, or drop it.`
      )
    }
    return { table, location }
  })

  const pointer: (name: TableName, next?: Parameters<typeof tableInput>[1]) => Pointer = (name, next) => ({
    read: Effect.map(glueTable(name), ({ location }) => location),
    swap: (base, ours) =>
      Effect.gen(function* () {
        const DatabaseName = databaseOf(name)
        if (next === undefined) return yield* icebergError("Invalid", `There is no metadata for ${showName(name)}.`)
        if (base === null) {
          const TableInput = tableInput(name.name, next, ours, null, undefined)
          return yield* change("create", `table ${showName(name)}`, "AlreadyExistsException", (signal) =>
            client.send(new sdk.CreateTableCommand({ ...account, DatabaseName, TableInput }), { abortSignal: signal })
          )
        }
        const { location, table } = yield* glueTable(name)
        if (location !== base) return false
        const TableInput = tableInput(name.name, next, ours, base, table)
        return yield* change("change", `table ${showName(name)}`, "ConcurrentModificationException", (signal) =>
          client.send(
            new sdk.UpdateTableCommand({
              ...account,
              DatabaseName,
              TableInput,
              VersionId: table.VersionId,
              SkipArchive: true
            }),
            { abortSignal: signal }
          )
        )
      })
  })

  const check = ({ name, namespace }: TableName): Effect.Effect<void, IcebergError> =>
    namespace.length === 1 && DATABASE.test(namespace[0] ?? "") && TABLE.test(name)
      ? Effect.void
      : Effect.fail(
          icebergError(
            "Invalid",
            `${[...namespace, name].join(".")} can't be in Glue: write database.table, of lower-case letters, digits and underscores.`
          )
        )

  const findDatabase = (database: string) =>
    find(`database ${database}`, (signal) =>
      client.send(new sdk.GetDatabaseCommand({ ...account, Name: database }), { abortSignal: signal })
    )

  const prepare = (name: TableName): Effect.Effect<string, IcebergError> =>
    Effect.gen(function* () {
      const database = databaseOf(name)
      const found = yield* findDatabase(database)
      if (found === undefined) {
        yield* change("create", `database ${database}`, "AlreadyExistsException", (signal) =>
          client.send(new sdk.CreateDatabaseCommand({ ...account, DatabaseInput: { Name: database } }), {
            abortSignal: signal
          })
        ).pipe(
          // It may have been made all the same; then the table can be made, too.
          Effect.catchIf(
            (error) => error.reason === "Unknown",
            (error) => Effect.fail(icebergError("Unavailable", error.message))
          )
        )
      }
      const own = found?.Database?.LocationUri
      if (own !== undefined && own !== "") return `${withoutSlash(own)}/${name.name}`
      if (options.warehouse === undefined) {
        return yield* icebergError(
          "Invalid",
          `The database ${database} in ${service} has no location: set a warehouse.`
        )
      }
      return `${withoutSlash(options.warehouse)}/${database}.db/${name.name}`
    })

  return makeFileCatalog({ store, maxLocation: MAX_PARAMETER, check, pointer, prepare })
})
