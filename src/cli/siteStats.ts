import { Clock, Console, Effect, Option, References } from "effect"
import { Command, Flag } from "effect/cli"
import { warehouse } from "../app/warehouses.ts"
import { QueryEngine } from "../ports/QueryEngine.ts"
import { Sites } from "../ports/Sites.ts"
import { askOverview, type Overview } from "../query/overview.ts"
import { instantOf, rangeIssues } from "../query/range.ts"
import { CommandFailure } from "./CommandFailure.ts"
import { details, firstLine, json, printJson } from "./output.ts"
import { id, siteId } from "./siteId.ts"
import { WrongUsage } from "./WrongUsage.ts"

/** The range when none is given. */
const DEFAULT_DAYS = 30
const DAY_MS = 86_400_000

/** A day, or an instant; without a zone it is UTC's. */
const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/

const readInstant = (text: string): number | null => {
  const match = ISO.exec(text)
  if (match === null) return null
  const ms = Date.parse(text.includes("T") && match[1] === undefined ? `${text}Z` : text)
  // Date.parse takes 30 February for 2 March.
  const day = Date.parse(`${text.slice(0, 10)}T00:00:00Z`)
  return Number.isNaN(ms) || new Date(day).toISOString().slice(0, 10) !== text.slice(0, 10) ? null : ms
}

const instant = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const readFlag = (name: string, given: Option.Option<string>, otherwise: number): Effect.Effect<number, WrongUsage> => {
  if (Option.isNone(given)) return Effect.succeed(otherwise)
  const ms = readInstant(given.value)
  return ms === null
    ? Effect.fail(
        new WrongUsage({
          message: `--${name} is ${JSON.stringify(given.value)}; it accepts a day such as 2026-03-28 or an instant such as 2026-03-28T22:50:00Z.`
        })
      )
    : Effect.succeed(ms)
}

const number = (value: number) => value.toLocaleString("en-US")

const duration = (seconds: number): string => {
  const [h, min, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${number(h)} h ${min} min` : min > 0 ? `${min} min ${s} s` : `${s} s`
}

const lines = ({ bounces, pageviews, totaltime, visitors, visits }: Overview): string =>
  details([
    ["visitors", number(visitors)],
    ["visits", number(visits)],
    ["pageviews", number(pageviews)],
    [
      "bounces",
      visits === 0 ? "0" : `${number(bounces)} (${Math.round((Math.min(visits, bounces) / visits) * 100)} %)`
    ],
    ["visit time", visits === 0 ? "0 s" : `${duration(Math.round(totaltime / visits))} on average`],
    ["total time", duration(totaltime)]
  ])

/** `sites stats`: a site's overview, from the warehouse of the settings. */
export const siteStats = Command.make(
  "stats",
  {
    id,
    from: instant(
      "from",
      "Beginning of the range, ISO 8601, UTC unless it has a zone; 30 days before its end unless given"
    ),
    to: instant("to", "End of the range, itself not in it, ISO 8601; now unless given"),
    json
  },
  Effect.fn(
    function* (flags) {
      const until = yield* readFlag("to", flags.to, yield* Clock.currentTimeMillis)
      const from = yield* readFlag("from", flags.from, until - DEFAULT_DAYS * DAY_MS)
      const [issue] = rangeIssues(from, until)
      if (issue !== undefined) return yield* new WrongUsage({ message: issue.message })
      const site = yield* (yield* Sites).get(yield* siteId(flags.id))
      const engine = yield* QueryEngine
      const range = { from: instantOf(from), until: instantOf(until) }
      const overview = yield* askOverview(engine, { site: site.id, ...range })
      if (flags.json) {
        return yield* printJson({
          site: site.id,
          from: range.from,
          to: range.until,
          warehouse: engine.dialect,
          ...overview
        })
      }
      yield* Console.log(`${site.name}, ${range.from} to ${range.until}, asked ${engine.dialect}\n`)
      yield* Console.log(lines(overview))
    },
    Effect.provide(warehouse),
    Effect.catchTag("QueryError", ({ message }) =>
      Effect.andThen(Console.error(firstLine(message)), Effect.fail(new CommandFailure({ message })))
    ),
    // What a server that starts should tell its log is in the way of an answer.
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
).pipe(
  Command.withDescription("Show a site's visitors, visits, pageviews, bounces and time"),
  Command.withExamples([
    { command: "bun run footfall sites stats 3f1c…", description: "The last 30 days" },
    {
      command: "bun run footfall sites stats 3f1c… --from 2026-03-01 --to 2026-04-01 --json",
      description: "March in UTC, for a script"
    }
  ])
)
