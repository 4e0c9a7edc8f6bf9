import { Duration, Effect, Redacted, Schedule, Schema } from "effect"
import { QueryError } from "../../src/ports/QueryEngine.ts"
import { parseJson } from "./json.ts"
import type { TrinoOptions } from "./options.ts"

/** Statuses of a busy coordinator, or of a proxy that lost it: the protocol says to repeat the request after 50 to 100 ms. */
const RETRY_STATUSES = [502, 503, 504]
const TOO_MANY_REQUESTS = 429
/** The wait before the first retry. Each further wait is longer by this, up to the maximum. */
const RETRY_MS = 100
const MAX_RETRY_MS = 1_000
/** About ten seconds: long enough for a coordinator to restart behind its proxy. */
const MAX_RETRIES = 15
/** Longest wait for a page. Trino delays its response by about a second while it has no rows. */
const PAGE_TIMEOUT_MS = 30_000
/** Longest wait for the response to a cancellation. */
const CANCEL_TIMEOUT_MS = 2_000
/** How much of a response is quoted in an error message. */
export const MESSAGE_LENGTH = 500

export const Failure = Schema.Struct({
  message: Schema.optional(Schema.String),
  errorName: Schema.optional(Schema.String),
  errorType: Schema.optional(Schema.String)
})

/** The fields of a response that are used: https://trino.io/docs/current/develop/client-protocol.html */
const Page = Schema.Struct({
  id: Schema.optional(Schema.String),
  nextUri: Schema.optional(Schema.String),
  columns: Schema.optional(Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String }))),
  data: Schema.optional(Schema.Array(Schema.Array(Schema.Unknown))),
  error: Schema.optional(Failure)
})
export type Page = typeof Page.Type

export const unavailable = (message: string) => new QueryError({ reason: "Unavailable", message })

/** A failed request. */
interface RequestFailure {
  readonly error: QueryError
  readonly canRetry: boolean
  /** As the server's `Retry-After` says. */
  readonly retryAfterSeconds: number | null
}

const RETRY = Schedule.recurs(MAX_RETRIES).pipe(
  Schedule.setInputType<RequestFailure>(),
  Schedule.modifyDelay(({ attempt, input }) =>
    Effect.succeed(
      input.retryAfterSeconds === null
        ? Duration.millis(Math.min(RETRY_MS * attempt, MAX_RETRY_MS))
        : Duration.seconds(input.retryAfterSeconds)
    )
  )
)

const authorization = ({ password, user }: TrinoOptions): Readonly<Record<string, string>> => {
  if (password === null) return {}
  const secret = Redacted.value(password)
  if (secret.startsWith("token:")) return { Authorization: `Bearer ${secret.slice("token:".length)}` }
  return { Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}` }
}

const headersOf = (options: TrinoOptions): Readonly<Record<string, string>> => ({
  ...authorization(options),
  "X-Trino-User": options.user,
  "X-Trino-Source": "footfall",
  "X-Trino-Catalog": options.catalog,
  "X-Trino-Schema": options.schema,
  "X-Trino-Time-Zone": "UTC",
  // Otherwise Trino truncates timestamps to milliseconds.
  "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
  // Ends an abandoned query even if its cancellation is lost.
  "X-Trino-Session": `query_max_run_time=${Math.ceil(options.deadlineMs / 1_000)}s`
})

/** Trino's client protocol: a statement's response is its first page, and each page has the URL of the next. */
export class TrinoClient {
  readonly #origin: string
  readonly #user: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(options: TrinoOptions) {
    this.#origin = new URL(options.url).origin
    this.#user = options.user
    this.#headers = headersOf(options)
  }

  /** Sends a statement and returns its first page. */
  start(statement: string): Effect.Effect<Page, QueryError> {
    return this.#page("POST", `${this.#origin}/v1/statement`, statement)
  }

  /** The page at a `nextUri`. */
  next(uri: string): Effect.Effect<Page, QueryError> {
    return this.#isOurs(uri)
      ? this.#page("GET", uri)
      : Effect.fail(
          unavailable(
            `Trino redirects from ${this.#origin} to ${new URL(uri).origin}. Behind a proxy, Trino requires http-server.process-forwarded=true.`
          )
        )
  }

  /** Cancels the query with this `nextUri`. Never fails. */
  cancel(uri: string): Effect.Effect<void> {
    if (!this.#isOurs(uri)) return Effect.void
    const options = { method: "DELETE", headers: this.#headers }
    return Effect.ignore(
      Effect.tryPromise(() => fetch(uri, { ...options, signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS) }))
    )
  }

  /** Another server must not get our credentials. */
  #isOurs(uri: string): boolean {
    return new URL(uri).origin === this.#origin
  }

  #page(method: "GET" | "POST", url: string, body: string | null = null): Effect.Effect<Page, QueryError> {
    return this.#request(method, url, body).pipe(
      Effect.retry({ while: ({ canRetry }) => canRetry, schedule: RETRY }),
      Effect.mapError(({ error }) => error),
      Effect.flatMap((content) =>
        Effect.try({
          try: () => Schema.decodeUnknownSync(Page)(parseJson(content)),
          catch: () =>
            unavailable(`The server at ${this.#origin} is not Trino. It answered: ${content.slice(0, MESSAGE_LENGTH)}`)
        })
      )
    )
  }

  /** The content of a response with status 200. */
  #request(method: "GET" | "POST", url: string, body: string | null): Effect.Effect<string, RequestFailure> {
    return Effect.tryPromise({
      try: async (signal) => {
        const response = await fetch(url, {
          method,
          headers: this.#headers,
          body,
          redirect: "error",
          signal: AbortSignal.any([signal, AbortSignal.timeout(PAGE_TIMEOUT_MS)])
        })
        return {
          status: response.status,
          retryAfter: Number(response.headers.get("retry-after")),
          content: await response.text()
        }
      },
      catch: (cause): RequestFailure => ({
        error: unavailable(
          `Trino can't be reached at ${this.#origin}: ${cause instanceof Error ? cause.message.replace(/[.?]$/, "") : cause}.`
        ),
        // A statement may have arrived, and must not run twice.
        canRetry: method === "GET",
        retryAfterSeconds: null
      })
    }).pipe(
      Effect.flatMap(({ content, retryAfter, status }) => {
        if (status === 200) return Effect.succeed(content)
        const isDenied = status === 401 || status === 403
        return Effect.fail({
          error: unavailable(
            isDenied
              ? `Trino denies access to the user ${this.#user} (${status}).`
              : `Trino answered ${status}: ${content.slice(0, MESSAGE_LENGTH)}`
          ),
          canRetry: [...RETRY_STATUSES, TOO_MANY_REQUESTS].includes(status),
          retryAfterSeconds: status === TOO_MANY_REQUESTS && retryAfter > 0 ? retryAfter : null
        })
      })
    )
  }
}
