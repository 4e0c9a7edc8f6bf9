import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { Diagnostics } from "../../ports/Diagnostics.ts"
import { CommandFailure } from "../CommandFailure.ts"
import { json, plural, printJson } from "../output.ts"
import { credentialFor, key, serverUrl, url } from "../server.ts"
import type { Check } from "./Check.ts"
import { describe } from "./describe.ts"
import { checkServer } from "./server.ts"

const MARKS = { ok: "ok  ", note: "note", bad: "fail" } as const

const format = (checks: ReadonlyArray<Check>): string => {
  const width = Math.max(...checks.map(({ about }) => about.length))
  return checks
    .flatMap(({ about, state, found, hint }) => [
      `${MARKS[state]}  ${about.padEnd(width)}  ${found}`,
      ...(hint === undefined ? [] : [`${" ".repeat(width + 8)}-> ${hint}`])
    ])
    .join("\n")
}

export const doctor = Command.make(
  "doctor",
  { url, key, json },
  Effect.fn(function* (flags) {
    const local = (yield* (yield* Diagnostics).run).map(describe)
    const server = yield* serverUrl(flags.url)
    const remote = yield* checkServer(server, yield* credentialFor(server, flags.key))
    // What the server says about this client replaces what this machine would say about itself.
    const isExplainedByServer = remote.some(({ about }) => about === "client")
    const checks = [...local.filter(({ about }) => !(isExplainedByServer && about === "client")), ...remote]
    const problems = checks.filter(({ state }) => state === "bad").length
    const verdict = problems === 0 ? "No problems found." : `${plural(problems, "problem")} found.`
    if (flags.json) yield* printJson({ healthy: problems === 0, checks })
    else yield* Console.log([format(checks), "", verdict].join("\n"))
    if (problems > 0) return yield* new CommandFailure({ message: verdict })
  })
).pipe(
  Command.withDescription("Check configuration, connections and setup; the exit code is 1 if there is a problem"),
  Command.withExamples([
    { command: "bun run footfall doctor", description: "Check this machine's instance" },
    {
      command: "bun run footfall doctor --url https://stats.example.com --key ff_…",
      description: "Also check a running server, and how it sees requests from here"
    }
  ])
)
