import { Effect, Layer, Redacted, Schema } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import {
  type QueryAnswer,
  QueryEngine,
  QueryError,
  type Question,
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
import { parseJson } from "./parseJson.ts"
import { columnOf, toValue } from "./values.ts"
import { withParameters } from "./withParameters.ts"

/** A busy coordinator or a proxy that lost its backend: the protocol wants the same request again after 50 to 100 ms. */
const TRY_AGAIN = [502, 503, 504]
const TOO_MANY_REQUESTS = 429
const RETRY_MS = 100
/** About ten seconds, the waits growing to a second: long enough for a coordinator to be restarted behind its proxy. */
const TRIES = 16
const LONGEST_RETRY_MS = 1_000
/** One page of an answer: Trino holds a request back for about a second while there is nothing to tell. */
const PAGE_MS = 30_000
/** How long the engine is told to stop, when nobody waits for it any more. */
const STOP_MS = 2_000
/** Longest error text that is worth showing. */
const MESSAGE_LENGTH = 500

export interface TrinoOptions {
  /** `http(s)://host:port`; credentials go over https alone. */
  readonly url: string
  readonly user: string
  /** The user's password, or `token:…` for a bearer token. */
  readonly password: Redacted.Redacted<string> | null
  readonly catalog: string
  /** The namespace of the tables. */
  readonly schema: string
  readonly deadlineMs: number
  readonly maxRows?: number
}

const Failure = Schema.Struct({
  message: Schema.optional(Schema.String),
  errorName: Schema.optional(Schema.String),
  errorType: Schema.optional(Schema.String)
})

/** https://trino.io/docs/current/develop/client-protocol.html; what else is in a page is not needed. */
const Page = Schema.Struct({
  id: Schema.optional(Schema.String),
  nextUri: Schema.optional(Schema.String),
  columns: Schema.optional(Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String }))),
  data: Schema.optional(Schema.Array(Schema.Array(Schema.Unknown))),
  error: Schema.optional(Failure)
})
type Page = typeof Page.Type

const unavailable = (message: string) => new QueryError({ reason: "Unavailable", message })

const OUT_OF_TIME = ["EXCEEDED_TIME_LIMIT", "ABANDONED_QUERY"]

/** Where a question about the lake finds no lake. */
const NO_TABLE = ["TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"]
const NO_CATALOG = ["CATALOG_NOT_FOUND", "MISSING_CATALOG_NAME"]

const missing = (errorName: string, { catalog, schema }: TrinoOptions, tables: ReadonlyArray<string>) =>
  new QueryError({
    reason: "Missing",
    message: NO_CATALOG.includes(errorName)
      ? `Trino has no catalog ${catalog}: TRINO_CATALOG says which one the lake is in.`
      : `Trino sees no ${tables.join(" and ")} in ${catalog}.${schema}. The first flush makes the tables; TRINO_CATALOG and ${LAKE_NAMESPACE.env} say where they are.`
  })

const refusal = (
  { errorName = "", errorType, message = errorName }: typeof Failure.Type,
  options: TrinoOptions,
  { tables }: Question
): QueryError => {
  if (tables.length > 0 && [...NO_TABLE, ...NO_CATALOG].includes(errorName)) return missing(errorName, options, tables)
  const reason = OUT_OF_TIME.includes(errorName)
    ? "Timeout"
    : errorType === "USER_ERROR"
      ? "Invalid"
      : errorType === "INSUFFICIENT_RESOURCES"
        ? "TooLarge"
        : "Unavailable"
  return new QueryError({ reason, message: `Trino: ${message.slice(0, MESSAGE_LENGTH)} (${errorName})` })
}

const authorization = (options: TrinoOptions): Readonly<Record<string, string>> => {
  if (options.password === null) return {}
  const secret = Redacted.value(options.password)
  if (secret.startsWith("token:")) return { Authorization: `Bearer ${secret.slice("token:".length)}` }
  return { Authorization: `Basic ${Buffer.from(`${options.user}:${secret}`).toString("base64")}` }
}

/** Questions to Trino, over its own client protocol. */
export const makeTrinoQueryEngine = (options: TrinoOptions): Effect.Effect<QueryEngine["Service"], StartError> =>
  Effect.gen(function* () {
    const { origin, protocol } = new URL(options.url)
    if (options.password !== null && protocol !== "https:") {
      return yield* new StartError({
        message: "TRINO_PASSWORD is set and TRINO_URL is not https: the password would go over the network as it is."
      })
    }
    const headers: Readonly<Record<string, string>> = {
      ...authorization(options),
      "X-Trino-User": options.user,
      "X-Trino-Source": "footfall",
      "X-Trino-Catalog": options.catalog,
      "X-Trino-Schema": options.schema,
      "X-Trino-Time-Zone": "UTC",
      // Without it timestamps come cut to milliseconds.
      "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
      // Ends what nobody waits for, even when our own word to stop is lost.
      "X-Trino-Session": `query_max_run_time=${Math.ceil(options.deadlineMs / 1_000)}s`
    }

    /** An answer of 200, after as many tries as the protocol wants. */
    const request = Effect.fnUntraced(function* (method: "GET" | "POST", url: string, body?: string) {
      for (let attempt = 1; ; attempt++) {
        const answer = yield* Effect.result(
          Effect.tryPromise({
            try: async (signal) => {
              const response = await fetch(url, {
                method,
                headers,
                ...(body === undefined ? {} : { body }),
                redirect: "error",
                signal: AbortSignal.any([signal, AbortSignal.timeout(PAGE_MS)])
              })
              return {
                status: response.status,
                after: response.headers.get("retry-after"),
                text: await response.text()
              }
            },
            catch: (cause) =>
              unavailable(`Trino can't be reached at ${origin}: ${cause instanceof Error ? cause.message : cause}.`)
          })
        )
        const last = attempt >= TRIES
        if (answer._tag === "Failure") {
          // A page may be asked for again; a statement that was perhaps taken may not.
          if (method === "POST" || last) return yield* answer.failure
        } else {
          const { after, status, text } = answer.success
          if (status === 200) return text
          if (status === 401 || status === 403)
            return yield* unavailable(`Trino refuses the user ${options.user} (${status}).`)
          if (![...TRY_AGAIN, TOO_MANY_REQUESTS].includes(status) || last) {
            return yield* unavailable(`Trino answered ${status}: ${text.slice(0, MESSAGE_LENGTH)}`)
          }
          if (status === TOO_MANY_REQUESTS && Number(after) > 0) {
            yield* Effect.sleep(Number(after) * 1_000)
            continue
          }
        }
        yield* Effect.sleep(Math.min(RETRY_MS * attempt, LONGEST_RETRY_MS))
      }
    })

    const readPage = (text: string): Effect.Effect<Page, QueryError> =>
      Effect.try({
        try: () => Schema.decodeUnknownSync(Page)(parseJson(text)),
        catch: () => unavailable(`What answers at ${origin} is no Trino: ${text.slice(0, MESSAGE_LENGTH)}`)
      })

    const stop = (uri: string | undefined): Effect.Effect<void> =>
      uri === undefined
        ? Effect.void
        : Effect.ignore(
            Effect.tryPromise(() => fetch(uri, { method: "DELETE", headers, signal: AbortSignal.timeout(STOP_MS) }))
          )

    return QueryEngine.of({
      dialect: "trino",
      run: (question) =>
        Effect.suspend(() => {
          const limit = rowLimit(question, options.maxRows)
          const rows: Array<QueryAnswer["rows"][number]> = []
          let next: string | undefined
          const pages = Effect.gen(function* () {
            let page = yield* Effect.flatMap(
              request("POST", `${origin}/v1/statement`, withParameters(question)),
              readPage
            )
            let types: ReadonlyArray<string> = []
            let columns: QueryAnswer["columns"] = []
            while (true) {
              next = page.nextUri
              if (page.error !== undefined) return yield* refusal(page.error, options, question)
              if (page.columns !== undefined) {
                types = page.columns.map(({ type }) => type)
                columns = page.columns.map(columnOf)
              }
              for (const row of page.data ?? []) rows.push(row.map((value, at) => toValue(types[at] ?? "", value)))
              if (rows.length > limit) return yield* tooManyRows(limit)
              if (next === undefined) return { columns, rows }
              if (new URL(next).origin !== origin) {
                // It would be given our credentials.
                return yield* unavailable(
                  `Trino sends us from ${origin} on to ${new URL(next).origin}. Behind a proxy it needs http-server.process-forwarded=true.`
                )
              }
              page = yield* Effect.flatMap(request("GET", next), readPage)
            }
          })
          return pages.pipe(
            Effect.timeoutOrElse({
              duration: options.deadlineMs,
              orElse: () => Effect.fail(tookTooLong(options.deadlineMs))
            }),
            Effect.onExit((exit) => (exit._tag === "Success" ? Effect.void : Effect.forkDetach(stop(next))))
          )
        })
    })
  })

/** The Trino of the settings. */
export const layer: Layer.Layer<QueryEngine, StartError, Settings> = Layer.effect(
  QueryEngine,
  Effect.gen(function* () {
    const { get } = yield* Settings
    const url = get(TRINO_URL)
    if (url === null) return yield* new StartError({ message: "WAREHOUSE is trino, which needs TRINO_URL." })
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
