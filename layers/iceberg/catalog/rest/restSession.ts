import { Effect, Option, Schedule, Schema } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { onceSuccessful } from "../../onceSuccessful.ts"
import type { TableName } from "../Catalog.ts"
import type { Authorizer } from "./Authorizer.ts"
import { answerFailure, type HttpAnswer, type HttpFailure, type HttpRequest, sendOnce } from "./http.ts"

/** How long a catalog that is unavailable is asked again, when asking changes nothing. */
const RETRY_FOR = "20 seconds"
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2_000
/** Between the levels of a namespace in a path, unless the server names another (OpenAPI). */
const SEPARATOR = "%1F"

export interface RestSessionOptions {
  /** What `/v1/config` is below of. */
  readonly uri: string
  readonly warehouse: string | undefined
  readonly prefix: string | undefined
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>
  readonly authorizer: Authorizer
}

export interface RestPaths {
  readonly namespaces: string
  readonly namespace: (levels: ReadonlyArray<string>) => string
  readonly tables: (levels: ReadonlyArray<string>) => string
  readonly table: (name: TableName) => string
}

export interface RestSession {
  readonly paths: Effect.Effect<RestPaths, IcebergError>
  readonly host: string
  /** Reads, as often as it takes. */
  readonly get: (path: string, doing: string, headers?: HttpRequest["headers"]) => Effect.Effect<unknown, IcebergError>
  /** Sends once. Answers of every status are answers. */
  readonly post: (
    path: string,
    body: string,
    headers?: HttpRequest["headers"]
  ) => Effect.Effect<HttpAnswer, HttpFailure>
}

const Properties = Schema.optional(Schema.NullOr(Schema.Record(Schema.String, Schema.NullOr(Schema.String))))
const Config = Schema.Struct({ defaults: Properties, overrides: Properties })
const isConfig = Schema.is(Config)

const pathsOf = (base: string, prefix: string | undefined, separator: string): RestPaths => {
  const root = `${base}/v1/${prefix === undefined || prefix === "" ? "" : `${prefix.replace(/^\/|\/$/g, "")}/`}`
  const joiner = decodeURIComponent(separator)
  const namespace = (levels: ReadonlyArray<string>) => `${root}namespaces/${encodeURIComponent(levels.join(joiner))}`
  const tables = (levels: ReadonlyArray<string>) => `${namespace(levels)}/tables`
  return {
    namespaces: `${root}namespaces`,
    namespace,
    tables,
    table: ({ name, namespace: levels }) => `${tables(levels)}/${encodeURIComponent(name)}`
  }
}

/** Requests of one REST catalog: where its resources are (`/v1/config`), and authorized ones. */
export const makeRestSession = Effect.fnUntraced(function* (
  options: RestSessionOptions
): Effect.fn.Return<RestSession, IcebergError> {
  const { authorizer, headers, warehouse } = options
  const given = URL.parse(options.uri)
  if (given === null || !/^https?:$/.test(given.protocol)) {
    return yield* icebergError("Invalid", "The REST catalog's URI can't be read: it begins with http:// or https://.")
  }
  const base = options.uri.replace(/\/+$/, "").replace(/\/v1$/, "")

  const send = Effect.fnUntraced(function* (request: HttpRequest): Effect.fn.Return<HttpAnswer, HttpFailure> {
    const authorized = authorizer
      .authorize(request)
      .pipe(Effect.mapError((error): HttpFailure => ({ error, sent: false })))
    const first = yield* authorized
    const answer = yield* sendOnce(first)
    if (answer.status !== 401 && answer.status !== 419) return answer
    // Refused before it was looked at, so it may go again.
    if (!(yield* authorizer.refused(first))) return answer
    return yield* sendOnce(yield* authorized)
  })

  const request = (
    method: HttpRequest["method"],
    url: string,
    more: HttpRequest["headers"],
    body?: string
  ): HttpRequest => ({
    method,
    url: new URL(url),
    headers: { accept: "application/json", ...headers, ...more },
    ...(body === undefined ? {} : { body })
  })

  const get: RestSession["get"] = (path, doing, more = {}) =>
    send(request("GET", path, more)).pipe(
      Effect.mapError(({ error }) => error),
      Effect.flatMap((answer) =>
        answer.status === 200
          ? Option.match(answer.body, {
              onSome: Effect.succeed,
              onNone: () =>
                Effect.fail(
                  icebergError("Invalid", `${given.host} did not answer as an Iceberg REST catalog: check its URI.`)
                )
            })
          : Effect.fail(answerFailure(answer, given.host, doing))
      ),
      Effect.retry({
        while: (error) => error.reason === "Unavailable",
        schedule: Schedule.min([Schedule.exponential(FIRST_RETRY_MS), Schedule.spaced(LAST_RETRY_MS)]).pipe(
          Schedule.jittered,
          Schedule.upTo({ duration: RETRY_FOR })
        )
      })
    )

  const configured = Effect.gen(function* () {
    const query = warehouse === undefined ? "" : `?warehouse=${encodeURIComponent(warehouse)}`
    const config = yield* get(`${base}/v1/config${query}`, "to configure its clients").pipe(
      Effect.catchIf(
        (error) => error.reason === "NotFound",
        (error) =>
          Effect.fail(
            icebergError("Invalid", `${error.message} Check the catalog's URI, and the name of the warehouse.`)
          )
      )
    )
    if (!isConfig(config)) {
      return yield* icebergError("Invalid", `${given.host} did not answer as an Iceberg REST catalog: check its URI.`)
    }
    const own = options.prefix === undefined ? {} : { prefix: options.prefix }
    const final: Readonly<Record<string, string | null>> = { ...config.defaults, ...own, ...config.overrides }
    return pathsOf(
      config.overrides?.["uri"]?.replace(/\/+$/, "") ?? base,
      final["prefix"] ?? undefined,
      final["namespace-separator"] ?? SEPARATOR
    )
  })

  return {
    paths: yield* onceSuccessful(configured),
    host: given.host,
    get,
    post: (path, body, more = {}) => send(request("POST", path, { "content-type": "application/json", ...more }, body))
  }
})
