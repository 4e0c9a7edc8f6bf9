import { Effect, Option, Predicate } from "effect"
import { Flag } from "effect/cli"
import { fromEnvironment } from "../settings/environment.ts"
import { PORT, PUBLIC_URL } from "../settings/settings.ts"
import { WrongUsage } from "./WrongUsage.ts"

/** How long a server may take for an answer before it counts as not reachable. */
const ANSWER_TIMEOUT = "10 seconds"

/** `--url`, the running server's address; `PUBLIC_URL` or this machine's `PORT` unless given. */
export const url = Flag.String("url").pipe(
  Flag.withDescription("Address of the running server; PUBLIC_URL, else http://localhost:PORT unless given"),
  Flag.filter(
    (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""),
    () => "an http(s) address such as https://stats.example.com"
  ),
  Flag.optional
)

/** The address given, else the one that the environment tells; without a slash at its end. */
export const serverUrl = Effect.fnUntraced(function* (given: Option.Option<string>) {
  if (Option.isSome(given)) return given.value.replace(/\/+$/, "")
  const publicUrl = yield* fromEnvironment(PUBLIC_URL)
  if (publicUrl !== null) return publicUrl.replace(/\/+$/, "")
  const port = yield* fromEnvironment(PORT)
  if (port === 0) {
    return yield* new WrongUsage({
      message: "With PORT=0 the server picked a free port and printed its address: give that as --url."
    })
  }
  return `http://localhost:${port}`
})

export interface ServerAnswer {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON, else the text. */
  readonly body: unknown
}

/** The server's answer, or why there was none, in words. */
export const ask = (address: string, init: RequestInit = {}): Effect.Effect<ServerAnswer, string> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(address, { ...init, signal, redirect: "manual" })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: parsed(text) }
    },
    catch: whyUnreachable
  }).pipe(
    Effect.timeoutOrElse({
      duration: ANSWER_TIMEOUT,
      orElse: () => Effect.fail(`it did not answer within ${ANSWER_TIMEOUT}`)
    })
  )

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const whyUnreachable = (cause: unknown): string => {
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  switch (code) {
    case "ConnectionRefused":
    case "ECONNREFUSED":
      return "nothing listens there"
    case "FailedToOpenSocket":
    case "ENOTFOUND":
      return "the host can't be found or reached"
    default:
      return cause instanceof Error && cause.message !== ""
        ? cause.message.replace(/\.?\s*$/, "")
        : "the connection failed"
  }
}
