import { Cause, Effect, Exit, Layer, Redacted, Stream } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import { makeRemaining } from "../../src/lib/remaining.ts"
import { LAKE_TABLE_NAMES } from "../../src/ports/LakeAdmin.ts"
import {
  type AsOf,
  type Query,
  type QueryChunk,
  QueryEngine,
  type QueryError,
  type QueryResult,
  rowLimit,
  streamedTooLong,
  tookTooLong,
  tooManyRows
} from "../../src/ports/QueryEngine.ts"
import { Settings } from "../../src/ports/Settings.ts"
import {
  EXPORT_TIMEOUT_SECONDS,
  LAKE_NAMESPACE,
  TRINO_CATALOG,
  TRINO_PASSWORD,
  TRINO_URL,
  TRINO_USER,
  WAREHOUSE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { WITHOUT_TRINO_URL } from "../../src/settings/startProblems.ts"
import { failureOf } from "./failure.ts"
import type { TrinoOptions } from "./options.ts"
import { TrinoClient } from "./TrinoClient.ts"
import { columnOf, toValue } from "./values.ts"
import { withParameters } from "./withParameters.ts"

/** The pages of a query, one for each run of `next`; null after the last. */
const makePages = (client: TrinoClient, query: Query, options: TrinoOptions) => {
  let types: ReadonlyArray<string> = []
  let columns: QueryResult["columns"] = []
  let uri: string | null | undefined
  const next = Effect.gen(function* (): Effect.fn.Return<QueryChunk | null, QueryError> {
    if (uri === null) return null
    const page = yield* uri === undefined ? client.start(withParameters(query)) : client.next(uri)
    uri = page.nextUri ?? null
    if (page.error !== undefined) return yield* failureOf(page.error, options, query)
    if (page.columns !== undefined) {
      types = page.columns.map(({ type }) => type)
      columns = page.columns.map(columnOf)
    }
    const rows = (page.data ?? []).map((row) => row.map((value, index) => toValue(types[index] ?? "", value)))
    return { columns, rows }
  })
  /** Cancels the query in the background unless its last page was read. */
  const cancel = Effect.suspend(() => (uri == null ? Effect.void : Effect.forkDetach(client.cancel(uri))))
  return { next, cancel }
}

/** Reads every page of a query. */
const readPages = Effect.fnUntraced(function* (
  next: Effect.Effect<QueryChunk | null, QueryError>,
  limit: number
): Effect.fn.Return<QueryResult, QueryError> {
  const rows: Array<QueryResult["rows"][number]> = []
  let columns: QueryResult["columns"] = []
  for (let page = yield* next; page !== null; page = yield* next) {
    columns = page.columns
    for (const row of page.rows) rows.push(row)
    if (rows.length > limit) return yield* tooManyRows(limit)
  }
  return { columns, rows }
})

const streamPages = (
  client: TrinoClient,
  query: Query,
  options: TrinoOptions,
  spentMs: number
): Stream.Stream<QueryChunk, QueryError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { cancel, next } = makePages(client, query, options)
      yield* Effect.addFinalizer(() => cancel)
      const limit = query.maxRows ?? Number.POSITIVE_INFINITY
      const remaining = yield* makeRemaining(options.exportDeadlineMs - spentMs)
      const nextInTime = Effect.suspend(() =>
        Effect.timeoutOrElse(next, {
          duration: remaining(),
          orElse: () => Effect.fail(streamedTooLong(options.exportDeadlineMs))
        })
      )
      let count = 0
      let last: QueryChunk | null = null
      const pull = Effect.gen(function* () {
        for (let page = yield* nextInTime; page !== null; page = yield* nextInTime) {
          last = page
          count += page.rows.length
          if (count > limit) return yield* tooManyRows(limit)
          if (page.rows.length > 0) return [page] as const
        }
        if (count > 0 || last === null) return yield* Cause.done()
        count = 1
        return [last] as const
      })
      return Stream.fromPull(Effect.succeed(pull))
    })
  )

/** The time of a table's newest commit, and the snapshot that it made. */
const newestCommit = (table: string): Query => ({
  sql: `SELECT max(made_current_at) AS time, max_by(snapshot_id, made_current_at) AS snapshot FROM "${table}$history"`,
  parameters: [],
  tables: [table]
})

/** Up to when the lake's tables have data. A table that does not exist yet has none. */
const asOfTables = (run: QueryEngine["Service"]["run"]): Effect.Effect<AsOf, QueryError> =>
  Effect.forEach(
    LAKE_TABLE_NAMES,
    (table) =>
      run(newestCommit(table)).pipe(
        Effect.map(({ rows }) => rows),
        Effect.catchIf(
          ({ reason }) => reason === "Missing",
          () => Effect.succeed<QueryResult["rows"]>([[null, null]])
        )
      ),
    { concurrency: LAKE_TABLE_NAMES.length }
  ).pipe(Effect.map((results) => toAsOf(results.flat())))

const toAsOf = (rows: QueryResult["rows"]): AsOf => {
  const times = rows.flatMap(([time]) => (typeof time === "string" ? time : []))
  return {
    time: times.sort().at(-1) ?? "1970-01-01T00:00:00.000000Z",
    version: rows.map(([, snapshot]) => String(snapshot)).join(" ")
  }
}

/** Runs queries in Trino, over its client protocol. */
export const makeTrinoQueryEngine = (options: TrinoOptions): Effect.Effect<QueryEngine["Service"], StartError> =>
  Effect.gen(function* () {
    if (options.password !== null && new URL(options.url).protocol !== "https:") {
      return yield* new StartError({
        message: "TRINO_PASSWORD requires an https TRINO_URL: otherwise the password would be sent unencrypted."
      })
    }
    const client = new TrinoClient(options)
    const run = (query: Query): Effect.Effect<QueryResult, QueryError> =>
      Effect.suspend(() => {
        const { cancel, next } = makePages(client, query, options)
        return readPages(next, rowLimit(query, options.maxRows)).pipe(
          Effect.timeoutOrElse({
            duration: options.deadlineMs,
            orElse: () => Effect.fail(tookTooLong(options.deadlineMs))
          }),
          Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : cancel))
        )
      })
    return QueryEngine.of({
      dialect: "trino",
      model: "lake",
      run,
      stream: (query, spentMs = 0) => streamPages(client, query, options, spentMs),
      asOf: asOfTables(run)
    })
  })

/** The Trino that the settings name. */
export const layer: Layer.Layer<QueryEngine, StartError, Settings> = Layer.effect(
  QueryEngine,
  Effect.gen(function* () {
    const { get } = yield* Settings
    const url = get(TRINO_URL)
    if (url === null) return yield* new StartError({ message: WITHOUT_TRINO_URL })
    const password = get(TRINO_PASSWORD)
    return yield* makeTrinoQueryEngine({
      url,
      user: get(TRINO_USER),
      password: password === null ? null : Redacted.make(password),
      catalog: get(TRINO_CATALOG),
      schema: get(LAKE_NAMESPACE),
      deadlineMs: get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000,
      exportDeadlineMs: get(EXPORT_TIMEOUT_SECONDS) * 1_000
    })
  })
)
