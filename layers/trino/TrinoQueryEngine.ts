import { Effect, Exit, Layer, Redacted } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import {
  type Query,
  QueryEngine,
  type QueryError,
  type QueryResult,
  rowLimit,
  tookTooLong,
  tooManyRows
} from "../../src/ports/QueryEngine.ts"
import { Settings } from "../../src/ports/Settings.ts"
import {
  LAKE_NAMESPACE,
  TRINO_CATALOG,
  TRINO_PASSWORD,
  TRINO_URL,
  TRINO_USER,
  WAREHOUSE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { failureOf } from "./failure.ts"
import type { TrinoOptions } from "./options.ts"
import { TrinoClient } from "./TrinoClient.ts"
import { columnOf, toValue } from "./values.ts"
import { withParameters } from "./withParameters.ts"

/** Reads every page of a query. `onPage` is called with the URL of the next page, null after the last. */
const readPages = Effect.fnUntraced(function* (
  client: TrinoClient,
  query: Query,
  options: TrinoOptions,
  onPage: (nextUri: string | null) => void
): Effect.fn.Return<QueryResult, QueryError> {
  const limit = rowLimit(query, options.maxRows)
  const rows: Array<QueryResult["rows"][number]> = []
  let types: ReadonlyArray<string> = []
  let columns: QueryResult["columns"] = []
  let page = yield* client.start(withParameters(query))
  while (true) {
    onPage(page.nextUri ?? null)
    if (page.error !== undefined) return yield* failureOf(page.error, options, query)
    if (page.columns !== undefined) {
      types = page.columns.map(({ type }) => type)
      columns = page.columns.map(columnOf)
    }
    for (const row of page.data ?? []) rows.push(row.map((value, index) => toValue(types[index] ?? "", value)))
    if (rows.length > limit) return yield* tooManyRows(limit)
    if (page.nextUri === undefined) return { columns, rows }
    page = yield* client.next(page.nextUri)
  }
})

/** Runs queries in Trino, over its client protocol. */
export const makeTrinoQueryEngine = (options: TrinoOptions): Effect.Effect<QueryEngine["Service"], StartError> =>
  Effect.gen(function* () {
    if (options.password !== null && new URL(options.url).protocol !== "https:") {
      return yield* new StartError({
        message: "TRINO_PASSWORD requires an https TRINO_URL: otherwise the password would be sent unencrypted."
      })
    }
    const client = new TrinoClient(options)
    return QueryEngine.of({
      dialect: "trino",
      run: (query) =>
        Effect.suspend(() => {
          let nextUri: string | null = null
          const result = readPages(client, query, options, (uri) => {
            nextUri = uri
          })
          return result.pipe(
            Effect.timeoutOrElse({
              duration: options.deadlineMs,
              orElse: () => Effect.fail(tookTooLong(options.deadlineMs))
            }),
            Effect.onExit((exit) =>
              Exit.isSuccess(exit) || nextUri === null ? Effect.void : Effect.forkDetach(client.cancel(nextUri))
            )
          )
        })
    })
  })

/** The Trino that the settings name. */
export const layer: Layer.Layer<QueryEngine, StartError, Settings> = Layer.effect(
  QueryEngine,
  Effect.gen(function* () {
    const { get } = yield* Settings
    const url = get(TRINO_URL)
    if (url === null) return yield* new StartError({ message: "WAREHOUSE=trino requires TRINO_URL." })
    const password = get(TRINO_PASSWORD)
    return yield* makeTrinoQueryEngine({
      url,
      user: get(TRINO_USER),
      password: password === null ? null : Redacted.make(password),
      catalog: get(TRINO_CATALOG),
      schema: get(LAKE_NAMESPACE),
      deadlineMs: get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000
    })
  })
)
