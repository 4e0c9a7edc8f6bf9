import { Console, Effect, Option, Predicate, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import { PREFIX } from "../http/shared/prefix.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { details, json, printJson } from "./output.ts"
import { ask, serverUrl, url } from "./server.ts"

/** `--key`, or `FOOTFALL_KEY`; without one, only what is public can be asked. */
export const key = Flag.Redacted("key").pipe(
  Flag.withDescription("API key for the running server (`bun run footfall keys create`); FOOTFALL_KEY unless given"),
  Flag.optional
)

export const apiKey = (given: Option.Option<Redacted.Redacted<string>>): string | undefined =>
  Option.match(given, { onNone: () => process.env["FOOTFALL_KEY"] || undefined, onSome: Redacted.value })

/** Nested members as `storage last error`, null as `none`. */
const flat = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<readonly [string, string]> =>
  Predicate.isObject(value)
    ? Object.entries(value).flatMap(([name, member]) => flat(member, [...path, name.replaceAll("_", " ")]))
    : [[path.join(" "), value === null ? "none" : String(value)]]

export const status = Command.make(
  "status",
  { url, key, json },
  Effect.fn(function* (flags) {
    const server = yield* serverUrl(flags.url)
    const token = apiKey(flags.key)
    const fail = (message: string) => new CommandFailure({ message })

    const health = yield* Effect.mapError(ask(`${server}/api/health`), (why) =>
      fail(`${server} can't be reached: ${why}. Is the server running (\`bun run full\`), and is --url its address?`)
    ).pipe(
      Effect.tapError(({ message }) =>
        flags.json ? printJson({ url: server, reachable: false, why: message }) : Console.log(message)
      )
    )
    const ready = health.status === 200
    const more =
      token === undefined
        ? null
        : yield* ask(`${server}${PREFIX}/status`, { headers: { authorization: `Bearer ${token}` } }).pipe(
            Effect.mapError((why) => fail(`${server} can't be reached: ${why}.`))
          )
    if (flags.json) {
      yield* printJson({
        url: server,
        reachable: true,
        ready,
        health: health.body,
        ...(more !== null && { status: more.body })
      })
    } else {
      yield* Console.log(
        details([
          ["server", server],
          ["ready", ready ? "yes: events are stored" : `no: answers ${health.status}`],
          ...(more === null
            ? [["details", "give an API key as --key or FOOTFALL_KEY to see more"] as const]
            : more.status === 200
              ? flat(more.body)
              : [
                  [
                    "details",
                    `refused with ${more.status}: ${Predicate.hasProperty(more.body, "detail") ? more.body.detail : "see the server's log"}`
                  ] as const
                ])
        ])
      )
    }
    if (!ready) return yield* fail("The server is not ready.")
    if (more !== null && more.status !== 200) return yield* fail("The server refused to tell more.")
  })
).pipe(
  Command.withDescription("Ask a running server how it is doing; exit code 1 when it is not ready"),
  Command.withExamples([
    { command: "bun run footfall status", description: "Whether this machine's server stores events" },
    {
      command: "FOOTFALL_KEY=ff_… bun run footfall status --url https://stats.example.com --json",
      description: "Everything that another server tells about itself"
    }
  ])
)
