import { Console, Effect, Predicate } from "effect"
import { Command } from "effect/cli"
import { PREFIX } from "../http/shared/prefix.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { details, json, printJson } from "./output.ts"
import { bearer, credentialFor, detailOf, key, request, type ServerResponse, serverUrl, url } from "./server.ts"

/** Nested members as pairs such as `storage backend`, `postgres`, without those that are null; those of a list are numbered. */
const flatten = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<readonly [string, string]> => {
  if (value === null) return []
  if (Array.isArray(value)) return value.flatMap((member, index) => flatten(member, [...path, String(index + 1)]))
  return Predicate.isObject(value)
    ? Object.entries(value).flatMap(([name, member]) => flatten(member, [...path, name.replaceAll("_", " ")]))
    : [[path.join(" "), String(value)]]
}

const describe = (response: ServerResponse | null): ReadonlyArray<readonly [string, string]> => {
  if (response === null)
    return [["details", "pass an API key as --key or FOOTFALL_KEY to see more, or run this on the server's machine"]]
  if (response.status === 200) return flatten(response.body)
  return [["details", `denied with ${response.status}: ${detailOf(response.body) ?? "see the server's log"}`]]
}

export const status = Command.make(
  "status",
  { url, key, json },
  Effect.fn(function* (flags) {
    const server = yield* serverUrl(flags.url)
    const token = yield* credentialFor(server, flags.key)
    const fail = (message: string) => new CommandFailure({ message })

    const health = yield* request(`${server}/api/health`).pipe(
      Effect.mapError(({ why }) =>
        fail(`${server} can't be reached: ${why}. Is the server running (\`bun run full\`), and is --url its address?`)
      ),
      Effect.tapError(({ message }) =>
        flags.json ? printJson({ url: server, reachable: false, why: message }) : Console.log(message)
      )
    )
    const response =
      token === null
        ? null
        : yield* Effect.mapError(request(`${server}${PREFIX}/status`, bearer(token)), ({ why }) =>
            fail(`${server} can't be reached: ${why}.`)
          )
    // The health check is about the storage, and load balancers need no license.
    const isLicensed = response?.status !== 402
    const ready = health.status === 200 && isLicensed
    if (flags.json) {
      yield* printJson({
        url: server,
        reachable: true,
        ready,
        health: health.body,
        ...(response !== null && { status: response.body })
      })
    } else {
      yield* Console.log(
        details([
          ["server", server],
          [
            "ready",
            ready ? "yes: events are stored" : `no: ${isLicensed ? `responds with ${health.status}` : "events get 402"}`
          ],
          ...describe(response)
        ])
      )
    }
    if (!ready) return yield* fail("The server is not ready.")
    if (response !== null && response.status !== 200) return yield* fail("The server denied access to its status.")
  })
).pipe(
  Command.withDescription("Show the health of a running server; the exit code is 1 if it is not ready"),
  Command.withExamples([
    { command: "bun run footfall status", description: "Check whether this machine's server stores events" },
    {
      command: "FOOTFALL_KEY=ff_… bun run footfall status --url https://stats.example.com --json",
      description: "Show the complete status of another server"
    }
  ])
)
