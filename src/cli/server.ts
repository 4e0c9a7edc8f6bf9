import { Effect, Option, Predicate, Redacted, Result, Schema } from "effect"
import { Flag } from "effect/cli"
import { withBasePath } from "../http/shared/basePath.ts"
import { PREFIX } from "../http/shared/prefix.ts"
import { fetchProblem } from "../lib/fetchProblem.ts"
import { LocalToken } from "../ports/LocalCommands.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { BASE_PATH, PORT, PUBLIC_URL } from "../settings/settings.ts"
import { UsageError } from "./UsageError.ts"

/** A server that takes longer to respond counts as unreachable. */
const RESPONSE_SECONDS = 10

/** `--url`, the running server's address. */
export const url = Flag.String("url").pipe(
  Flag.withDescription("Address of the running server; default: PUBLIC_URL, otherwise http://localhost:PORT"),
  Flag.filter(
    (given) => /^https?:$/.test(URL.parse(given)?.protocol ?? ""),
    () => "an http(s) address such as https://stats.example.com"
  ),
  Flag.optional
)

/** `--key`, an API key of the running server. */
export const key = Flag.Redacted("key").pipe(
  Flag.withDescription(
    "API key of the running server (`bun run footfall keys create`); default: FOOTFALL_KEY, and none is needed on the same machine"
  ),
  Flag.optional
)

/** The key of `--key` or `FOOTFALL_KEY`; null without either. */
export const apiKey = (given: Option.Option<Redacted.Redacted<string>>): string | null =>
  Option.match(given, { onNone: () => process.env["FOOTFALL_KEY"] || null, onSome: Redacted.value })

/** Whether a server's address leads to this machine without a name that somebody else may own. */
export const isOnThisMachine = (server: string): boolean =>
  /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(URL.parse(server)?.hostname ?? "")

/**
 * The bearer token for a server: the key of `--key` or `FOOTFALL_KEY`. Without one, a server on this machine accepts a command that can read
 * its folder. Null if neither is available.
 */
export const credentialFor = Effect.fnUntraced(function* (
  server: string,
  given: Option.Option<Redacted.Redacted<string>>
) {
  const key = apiKey(given)
  if (key !== null || !isOnThisMachine(server)) return key
  const makeToken = yield* LocalToken
  const token = yield* makeToken
  if (token === null) return null
  // The server may be a collector, or have another folder.
  const response = yield* Effect.result(request(`${server}${PREFIX}/client`, bearer(token)))
  // A server without a license answers nothing else, and says why.
  return Result.isSuccess(response) && [200, 402].includes(response.success.status) ? token : null
})

/** The server's address from `--url` or the environment, without a trailing slash. */
export const serverUrl = Effect.fnUntraced(function* (given: Option.Option<string>) {
  if (Option.isSome(given)) return given.value.replace(/\/+$/, "")
  const publicUrl = yield* fromEnvironment(PUBLIC_URL)
  const basePath = yield* fromEnvironment(BASE_PATH)
  if (publicUrl !== null) return withBasePath(publicUrl, basePath)
  const port = yield* fromEnvironment(PORT)
  if (port === 0) {
    return yield* new UsageError({
      message: "With PORT=0 the server picked a free port and printed its address: pass it as --url."
    })
  }
  return withBasePath(`http://localhost:${port}`, basePath)
})

export interface ServerResponse {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON, or the body as a string. */
  readonly body: unknown
}

/** No response. `why` is the end of the sentence that `message` is. */
export class ServerUnreachable extends Schema.TaggedError<ServerUnreachable>()("ServerUnreachable", {
  url: Schema.String,
  why: Schema.String
}) {
  override get message() {
    return `${this.url} can't be reached: ${this.why}`
  }
}

export const request = (
  address: string,
  init: RequestInit = {},
  seconds = RESPONSE_SECONDS
): Effect.Effect<ServerResponse, ServerUnreachable> => {
  const unreachable = (why: string) => new ServerUnreachable({ url: address, why })
  return Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(address, { ...init, signal, redirect: "manual" })
      return { status: response.status, headers: response.headers, body: parse(await response.text()) }
    },
    catch: (cause) => unreachable(fetchProblem(cause))
  }).pipe(
    Effect.timeoutOrElse({
      duration: seconds * 1_000,
      orElse: () => Effect.fail(unreachable(`it did not respond within ${seconds} seconds`))
    })
  )
}

export const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } })

/** The `detail` of a problem response (RFC 9457); null without one. */
export const detailOf = (body: unknown): string | null =>
  Predicate.hasProperty(body, "detail") && typeof body.detail === "string" ? body.detail : null

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
