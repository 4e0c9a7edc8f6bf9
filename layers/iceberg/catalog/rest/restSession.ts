import { Effect, Schedule, Schema } from "effect"
import { backoff } from "../../backoff.ts"
import { IcebergError } from "../../IcebergError.ts"
import { onceSuccessful } from "../../onceSuccessful.ts"
import type { TableName } from "../Catalog.ts"
import type { Authorizer } from "./Authorizer.ts"
import { type HttpFailure, type HttpRequest, type HttpResponse, responseFailure, sendOnce } from "./http.ts"

/** How long reads are retried while the catalog is unavailable. */
const RETRY_FOR = "20 seconds"
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2_000
const READ_RETRIES = backoff(FIRST_RETRY_MS, LAST_RETRY_MS).pipe(Schedule.upTo({ duration: RETRY_FOR }))
/** Separates a namespace's levels in a path, unless the server names another separator (OpenAPI). */
const DEFAULT_SEPARATOR = "%1F"

export interface RestSessionOptions {
  /** The parent of `/v1/config`. */
  readonly uri: string
  readonly warehouse: string | undefined
  readonly prefix: string | undefined
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>
  readonly authorizer: Authorizer
}

export interface RestPaths {
  readonly namespaces: string
  readonly tables: (levels: ReadonlyArray<string>) => string
  readonly table: (name: TableName) => string
}

export interface RestSession {
  readonly paths: Effect.Effect<RestPaths, IcebergError>
  readonly host: string
  /** Reads, with retries. `action` completes the error message: `load web.events`. */
  readonly get: (path: string, action: string, headers?: HttpRequest["headers"]) => Effect.Effect<unknown, IcebergError>
  /** Sends once and returns the response, whatever its status. */
  readonly post: (
    path: string,
    body: string,
    headers?: HttpRequest["headers"]
  ) => Effect.Effect<HttpResponse, HttpFailure>
}

const Properties = Schema.optional(Schema.NullOr(Schema.Record(Schema.String, Schema.NullOr(Schema.String))))
const Config = Schema.Struct({ defaults: Properties, overrides: Properties })
const isConfig = Schema.is(Config)

const pathsOf = (base: string, prefix: string | null, separator: string): RestPaths => {
  const root = `${base}/v1/${prefix === null || prefix === "" ? "" : `${prefix.replace(/^\/|\/$/g, "")}/`}`
  const joiner = decodeURIComponent(separator)
  const tables = (levels: ReadonlyArray<string>) =>
    `${root}namespaces/${encodeURIComponent(levels.join(joiner))}/tables`
  return {
    namespaces: `${root}namespaces`,
    tables,
    table: ({ name, namespace }) => `${tables(namespace)}/${encodeURIComponent(name)}`
  }
}

const notACatalog = (host: string): IcebergError =>
  IcebergError.invalid(`${host} did not answer as an Iceberg REST catalog: check its URI.`)

/** Sends a request with its authorization; if the server rejects that and it can be renewed, once more. */
const sendAuthorized = Effect.fnUntraced(function* (
  authorizer: Authorizer,
  request: HttpRequest
): Effect.fn.Return<HttpResponse, HttpFailure> {
  const authorize = Effect.mapError(authorizer.authorize(request), (error): HttpFailure => ({ error, wasSent: false }))
  const authorized = yield* authorize
  const response = yield* sendOnce(authorized)
  if (response.status !== 401 && response.status !== 419) return response
  // The server rejected the request before processing it, so it is safe to send it again.
  return (yield* authorizer.onRejected(authorized)) ? yield* sendOnce(yield* authorize) : response
})

/** Reads `/v1/config` and derives the paths from it. */
const configure = Effect.fnUntraced(function* (
  base: string,
  host: string,
  { prefix, warehouse }: RestSessionOptions,
  get: RestSession["get"]
): Effect.fn.Return<RestPaths, IcebergError> {
  const query = warehouse === undefined ? "" : `?warehouse=${encodeURIComponent(warehouse)}`
  const config = yield* Effect.mapError(get(`${base}/v1/config${query}`, "read its configuration"), (error) =>
    error.reason === "NotFound"
      ? IcebergError.invalid(`${error.message} Check the catalog's URI and the warehouse's name.`)
      : error
  )
  if (!isConfig(config)) return yield* notACatalog(host)
  const own = prefix === undefined ? {} : { prefix }
  const settings: Readonly<Record<string, string | null>> = { ...config.defaults, ...own, ...config.overrides }
  return pathsOf(
    config.overrides?.["uri"]?.replace(/\/+$/, "") ?? base,
    settings["prefix"] ?? null,
    settings["namespace-separator"] ?? DEFAULT_SEPARATOR
  )
})

/** Authorized requests to one REST catalog, and the paths of its resources. */
export const makeRestSession = Effect.fnUntraced(function* (
  options: RestSessionOptions
): Effect.fn.Return<RestSession, IcebergError> {
  const { authorizer, headers } = options
  const parsed = URL.parse(options.uri)
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    return yield* IcebergError.invalid("The REST catalog's URI is invalid: it must begin with http:// or https://.")
  }
  const { host } = parsed
  const base = options.uri.replace(/\/+$/, "").replace(/\/v1$/, "")

  const send = (method: HttpRequest["method"], url: string, more: HttpRequest["headers"], body?: string) =>
    sendAuthorized(authorizer, {
      method,
      url: new URL(url),
      headers: { accept: "application/json", ...headers, ...more },
      ...(body === undefined ? {} : { body })
    })

  const get: RestSession["get"] = (path, action, more = {}) =>
    send("GET", path, more).pipe(
      Effect.mapError(({ error }) => error),
      Effect.flatMap((response) => {
        if (response.status !== 200) return Effect.fail(responseFailure(response, host, action))
        return response.body === null ? Effect.fail(notACatalog(host)) : Effect.succeed(response.body)
      }),
      Effect.retry({ while: (error) => error.reason === "Unavailable", schedule: READ_RETRIES })
    )

  return {
    paths: yield* onceSuccessful(configure(base, host, options, get)),
    host,
    get,
    post: (path, body, more = {}) => send("POST", path, { "content-type": "application/json", ...more }, body)
  }
})
