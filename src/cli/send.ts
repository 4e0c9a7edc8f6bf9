import { isIP } from "node:net"
import { Console, Effect, Option, Predicate, Result, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { SiteId } from "../domain/ids.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { json, printJson } from "./output.ts"
import { request, type ServerResponse, serverUrl, url } from "./server.ts"

/** A browser's user agent, so that the test event does not count as a bot's. */
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

/** What happened to the event, and what to do about it, in sentences. */
export interface Outcome {
  readonly stored: boolean
  readonly outcome: string
  readonly hint: string | null
}

const notStored = (outcome: string, hint: string | null): Outcome => ({ stored: false, outcome, hint })

const member = (body: unknown, name: string): unknown => (Predicate.hasProperty(body, name) ? body[name] : undefined)

const errorMessage = (body: unknown): string | null => {
  const message = member(member(body, "error"), "message")
  return typeof message === "string" ? message : null
}

/** Umami's tree of errors as a list such as `payload.website: Invalid UUID`. */
const listErrors = (tree: unknown, path = ""): ReadonlyArray<string> => {
  const own = member(tree, "errors")
  const children = member(tree, "properties")
  return [
    ...(Array.isArray(own) ? own.map((error) => (path === "" ? `${error}` : `${path}: ${error}`)) : []),
    ...(Predicate.isObject(children)
      ? Object.entries(children).flatMap(([name, child]) => listErrors(child, path === "" ? name : `${path}.${name}`))
      : [])
  ]
}

const explainSuccess = (body: unknown): Outcome => {
  const sessionId = member(body, "sessionId")
  if (typeof sessionId === "string") {
    return { stored: true, outcome: `Stored, in the session ${sessionId}.`, hint: null }
  }
  return member(body, "beep") === "boop"
    ? notStored(
        "Recognized as a bot and not stored.",
        "Send a browser's --user-agent, or set DISABLE_BOT_CHECK=1 to store events of bots."
      )
    : notStored("The response is not from Footfall.", "Check --url.")
}

/** An invalid payload has a tree of errors, an unknown site has none, as in Umami 3.1. */
const explainBadRequest = (body: unknown): Outcome => {
  const error = member(body, "error")
  return Predicate.isObject(error) && !Predicate.hasProperty(error, "errors")
    ? notStored(
        "No live site has this id.",
        "`bun run footfall sites list` shows the ids. Every collector accepts a new site within 5 s; an archived site accepts no events."
      )
    : notStored(`The payload was rejected: ${listErrors(error).join("; ") || "bad request"}.`, null)
}

/** Explains a response of `/api/send`. */
export const explainResponse = ({ status, headers, body }: ServerResponse): Outcome => {
  const seconds = headers.get("retry-after")
  const retry = seconds === null ? "Try again in a moment." : `Try again in ${seconds} s.`
  switch (status) {
    case 200:
      return explainSuccess(body)
    case 400:
      return explainBadRequest(body)
    case 402:
      return notStored(
        "Product analytics is off: there is no valid license.",
        "`bun run footfall doctor` shows why; set LICENSE_TOKEN to a valid license."
      )
    case 403:
      return notStored(
        "The client's address is blocked.",
        "It matches IGNORE_IP; `bun run footfall settings get ignore-ip` shows the list."
      )
    case 404:
    case 405:
      return notStored(
        "There is no collector at this address.",
        "Check --url; it must be the server's address without a path."
      )
    case 408:
    case 413:
      return notStored(
        errorMessage(body) ?? "The body was rejected.",
        "`bun run footfall settings list` shows the limits of the body."
      )
    case 429:
      return notStored(
        "The site's rate limit is exceeded.",
        `${retry} \`bun run footfall sites update\` changes the limit.`
      )
    case 503:
      return notStored(
        `Not stored: ${errorMessage(body) ?? "the storage is unavailable."}`,
        `${retry} \`bun run footfall doctor\` shows what is wrong.`
      )
    default:
      return notStored(
        `Unexpected response with status ${status}.`,
        status >= 500 ? "The server's log has the details." : "Check --url."
      )
  }
}

const optionalString = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

export const send = Command.make(
  "send",
  {
    site: Flag.String("site").pipe(
      Flag.withDescription("The site's id, a UUID"),
      Flag.filter(Schema.is(SiteId), () => "a site's id, a UUID; `bun run footfall sites list` shows them")
    ),
    url,
    name: optionalString("name", "Name of a custom event; default: a pageview"),
    path: Flag.String("path").pipe(
      Flag.withDescription("The page's path; default: /footfall-test"),
      Flag.withDefault("/footfall-test")
    ),
    hostname: Flag.String("hostname").pipe(
      Flag.withDescription("The page's host; default: localhost"),
      Flag.withDefault("localhost")
    ),
    ip: Flag.String("ip").pipe(
      Flag.withDescription("The visitor's IP address; default: this machine's"),
      Flag.filter(
        (given) => isIP(given) !== 0,
        () => "an IPv4 or IPv6 address"
      ),
      Flag.optional
    ),
    userAgent: Flag.String("user-agent").pipe(
      Flag.withDescription("The visitor's user agent; default: Chrome on Linux"),
      Flag.withDefault(BROWSER)
    ),
    json
  },
  Effect.fn(function* (flags) {
    const address = `${yield* serverUrl(flags.url)}/api/send`
    const payload = {
      website: flags.site,
      hostname: flags.hostname,
      url: flags.path,
      title: "Test event",
      language: "en-US",
      screen: "1920x1080",
      ...Option.match(flags.name, { onNone: () => ({}), onSome: (name) => ({ name }) }),
      ...Option.match(flags.ip, { onNone: () => ({}), onSome: (ip) => ({ ip }) })
    }
    const response = yield* Effect.result(
      request(address, {
        method: "POST",
        headers: { "content-type": "application/json", "user-agent": flags.userAgent },
        body: JSON.stringify({ type: "event", payload })
      })
    )
    const outcome = Result.match(response, {
      onSuccess: explainResponse,
      onFailure: ({ message }) =>
        notStored(`${message}.`, "Is the server running (`bun run full`), and is --url its address?")
    })
    if (flags.json) {
      yield* printJson({
        ...outcome,
        url: address,
        status: Result.isSuccess(response) ? response.success.status : null,
        response: Result.isSuccess(response) ? response.success.body : null
      })
    } else {
      yield* Console.log([outcome.outcome, ...(outcome.hint === null ? [] : [outcome.hint])].join("\n"))
    }
    if (!outcome.stored) return yield* new CommandFailure({ message: outcome.outcome })
  })
).pipe(
  Command.withDescription("Send a test event to a running server and explain the response"),
  Command.withExamples([
    {
      command: "bun run footfall send --site 3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
      description: "Send a pageview to this machine's server"
    },
    {
      command: "bun run footfall send --site 3f1c… --url https://stats.example.com --name signup",
      description: "Send a custom event to another server"
    }
  ])
)
