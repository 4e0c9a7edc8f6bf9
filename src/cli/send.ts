import { Console, Effect, Option, Predicate, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { SiteId } from "../domain/ids.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { json, printJson } from "./output.ts"
import { ask, type ServerAnswer, serverUrl, url } from "./server.ts"

/** A browser's, so that the test event is not taken for a bot's. */
const BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

/** What became of the event, in words, and what to do about it. */
export interface Outcome {
  readonly stored: boolean
  readonly outcome: string
  readonly todo: string | null
}

const member = (body: unknown, name: string): unknown => (Predicate.hasProperty(body, name) ? body[name] : undefined)

const errorMessage = (body: unknown): string | undefined => {
  const message = member(member(body, "error"), "message")
  return typeof message === "string" ? message : undefined
}

/** Umami's tree of errors as `payload.website: Invalid UUID`, one after the other. */
const problemsOf = (tree: unknown, path = ""): ReadonlyArray<string> => {
  const own = member(tree, "errors")
  const children = member(tree, "properties")
  return [
    ...(Array.isArray(own) ? own.map((problem) => (path === "" ? `${problem}` : `${path}: ${problem}`)) : []),
    ...(Predicate.isObject(children)
      ? Object.entries(children).flatMap(([name, child]) => problemsOf(child, path === "" ? name : `${path}.${name}`))
      : [])
  ]
}

/** The answer of `/api/send`, explained. */
export const explainAnswer = ({ status, headers, body }: ServerAnswer): Outcome => {
  const not = (outcome: string, todo: string | null): Outcome => ({ stored: false, outcome, todo })
  const later = headers.get("retry-after")
  const wait = later === null ? "Try again in a moment." : `Try again in ${later} s.`
  switch (status) {
    case 200:
      if (typeof member(body, "sessionId") === "string") {
        return { stored: true, outcome: `Stored, in the session ${member(body, "sessionId")}.`, todo: null }
      }
      if (member(body, "beep") === "boop") {
        return not(
          "Taken for a bot's and not stored.",
          "Send a browser's --user-agent, or set DISABLE_BOT_CHECK=1 to store events of bots."
        )
      }
      return not("Answered by something that is not Footfall.", "Check --url.")
    case 400: {
      const message = errorMessage(body)
      return message === "Website not found."
        ? not(
            "No live site has this id.",
            "`bun run footfall sites list` shows the ids. A new site is known to every collector within 5 s; an archived one takes no events."
          )
        : not(
            `The payload was refused: ${problemsOf(member(body, "error")).join("; ") || (message ?? "bad request")}.`,
            null
          )
    }
    case 402:
      return not(
        "Product analytics is off: there is no valid license.",
        "`bun run footfall doctor` tells why; LICENSE_TOKEN takes the license."
      )
    case 403:
      return not(
        "The client's address is blocked.",
        "It is in IGNORE_IP; `bun run footfall settings get ignore-ip` shows the list."
      )
    case 404:
    case 405:
      return not("There is no collector at this address.", "Check --url; it is the server's address without a path.")
    case 408:
    case 413:
      return not(
        errorMessage(body) ?? "The body was refused.",
        "`bun run footfall settings list` shows the limits of the body."
      )
    case 429:
      return not("Over the site's rate limit.", `${wait} \`bun run footfall sites update\` changes the limit.`)
    case 503:
      return not(
        `Not stored now: ${errorMessage(body) ?? "the storage is not available."}`,
        `${wait} \`bun run footfall doctor\` tells what is wrong.`
      )
    default:
      return not(
        `An unexpected answer with status ${status}.`,
        status >= 500 ? "The server's log has the details." : "Check --url."
      )
  }
}

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

export const send = Command.make(
  "send",
  {
    site: Flag.String("site").pipe(
      Flag.withDescription("The site's id, a UUID"),
      Flag.filter(Schema.is(SiteId), () => "a site's id, a UUID; `bun run footfall sites list` shows them")
    ),
    url,
    name: text("name", "Name of a custom event; a page view unless given"),
    path: Flag.String("path").pipe(Flag.withDescription("The page's address"), Flag.withDefault("/footfall-test")),
    hostname: Flag.String("hostname").pipe(Flag.withDescription("The page's host"), Flag.withDefault("localhost")),
    ip: text("ip", "The visitor's address, in place of this machine's"),
    userAgent: Flag.String("user-agent").pipe(
      Flag.withDescription("The visitor's browser; Chrome on Linux unless given"),
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
    const answer = yield* Effect.result(
      ask(address, {
        method: "POST",
        headers: { "content-type": "application/json", "user-agent": flags.userAgent },
        body: JSON.stringify({ type: "event", payload })
      })
    )
    const outcome: Outcome =
      answer._tag === "Success"
        ? explainAnswer(answer.success)
        : {
            stored: false,
            outcome: `${address} can't be reached: ${answer.failure}.`,
            todo: "Is the server running (`bun run full`), and is --url its address?"
          }
    if (flags.json) {
      yield* printJson({
        ...outcome,
        url: address,
        status: answer._tag === "Success" ? answer.success.status : null,
        answer: answer._tag === "Success" ? answer.success.body : null
      })
    } else {
      yield* Console.log([outcome.outcome, ...(outcome.todo === null ? [] : [outcome.todo])].join("\n"))
    }
    if (!outcome.stored) return yield* new CommandFailure({ message: outcome.outcome })
  })
).pipe(
  Command.withDescription("Send a test event to a running server and explain the answer"),
  Command.withExamples([
    {
      command: "bun run footfall send --site 3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
      description: "A page view to this machine's server"
    },
    {
      command: "bun run footfall send --site 3f1c… --url https://stats.example.com --name signup",
      description: "A custom event to another server"
    }
  ])
)
