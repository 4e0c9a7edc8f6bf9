import { Effect, Option, Predicate, Schema } from "effect"
import { Flag } from "effect/cli"
import { PORT, PUBLIC_URL } from "../domain/settings.ts"

/** How long a server may take for an answer before it counts as not reachable. */
const ANSWER_TIMEOUT = "10 seconds"

/** `--url`, the running server's address; `PUBLIC_URL` or this machine's `PORT` unless given. */
export const url = Flag.String("url").pipe(
  Flag.withDescription("Address of the running server; PUBLIC_URL, else http://localhost:PORT unless given"),
  Flag.withSchema(
    Schema.String.check(
      Schema.makeFilter((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? "") || "Expected an http(s) URL")
    )
  ),
  Flag.optional
)

/** The address given, else the one that the environment tells. */
export const serverUrl = (given: Option.Option<string>): string =>
  Option.getOrElse(
    given,
    () => process.env[PUBLIC_URL.env] || `http://localhost:${process.env[PORT.env] || PORT.default}`
  ).replace(/\/+$/, "")

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
