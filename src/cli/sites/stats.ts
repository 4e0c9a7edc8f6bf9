import { Clock, Console, Effect, Option } from "effect"
import { Command } from "effect/cli"
import { QueryEngine } from "../../ports/QueryEngine.ts"
import { Sites } from "../../ports/Sites.ts"
import { CHANNELS, type Channel } from "../../query/channel/channel.ts"
import { type Overview, runOverview } from "../../query/overview.ts"
import { type RangeIssue, rangeIssues, timestampOf } from "../../query/range.ts"
import { details, duration, json, printJson } from "../output.ts"
import { number } from "../progress.ts"
import { reportQueryError } from "../reportQueryError.ts"
import { UsageError } from "../UsageError.ts"
import { optionalString } from "./flags.ts"
import { id, siteId } from "./siteId.ts"

/** The length of the range without `--from`. */
const DEFAULT_DAYS = 30
const DAY_MS = 86_400_000

/** A day or an instant, in UTC unless it has a zone. */
const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/

const parseInstant = (given: string): number | null => {
  const match = ISO.exec(given)
  if (match === null) return null
  const ms = Date.parse(given.includes("T") && match[1] === undefined ? `${given}Z` : given)
  // Date.parse reads 30 February as 2 March.
  const day = Date.parse(`${given.slice(0, 10)}T00:00:00Z`)
  return Number.isNaN(ms) || new Date(day).toISOString().slice(0, 10) !== given.slice(0, 10) ? null : ms
}

const readInstant = (
  flag: string,
  given: Option.Option<string>,
  fallback: number
): Effect.Effect<number, UsageError> => {
  if (Option.isNone(given)) return Effect.succeed(fallback)
  const ms = parseInstant(given.value)
  return ms === null
    ? Effect.fail(
        new UsageError({
          message: `--${flag} is ${JSON.stringify(given.value)}; it accepts a day such as 2026-03-28 or an instant such as 2026-03-28T22:50:00Z.`
        })
      )
    : Effect.succeed(ms)
}

const readChannel = (given: Option.Option<string>): Effect.Effect<Channel | null, UsageError> => {
  if (Option.isNone(given)) return Effect.succeed(null)
  const channel = CHANNELS.find((known) => known === given.value)
  return channel === undefined
    ? Effect.fail(
        new UsageError({
          message: `--channel is ${JSON.stringify(given.value)}; it accepts ${CHANNELS.filter((known) => known !== "").join(", ")}.`
        })
      )
    : Effect.succeed(channel)
}

const formatOverview = ({ bounces, pageviews, totaltime, visitors, visits }: Overview): string =>
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

/** An issue of the range, in terms of the flags. */
const describeIssue = ({ end, message }: RangeIssue, from: number, until: number): string =>
  from >= until
    ? `--to (${timestampOf(until)}) must be later than --from (${timestampOf(from)}).`
    : `--${end === "from" ? "from" : "to"}: ${message}`

export const stats = Command.make(
  "stats",
  {
    id,
    from: optionalString(
      "from",
      "Start of the range, ISO 8601, in UTC unless it has a zone; default: 30 days before its end"
    ),
    to: optionalString("to", "End of the range, exclusive, ISO 8601; default: now"),
    channel: optionalString("channel", "Only visits of this channel, such as `organicSearch`"),
    json
  },
  Effect.fn(
    function* (flags) {
      const channel = yield* readChannel(flags.channel)
      const until = yield* readInstant("to", flags.to, yield* Clock.currentTimeMillis)
      const from = yield* readInstant("from", flags.from, until - DEFAULT_DAYS * DAY_MS)
      const [issue] = rangeIssues(from, until)
      if (issue !== undefined) return yield* new UsageError({ message: describeIssue(issue, from, until) })
      const site = yield* (yield* Sites).get(yield* siteId(flags.id))
      const engine = yield* QueryEngine
      const range = { from: timestampOf(from), until: timestampOf(until) }
      const overview = yield* runOverview(engine, { site: site.id, ...range, ...(channel !== null && { channel }) })
      if (flags.json) {
        return yield* printJson({
          site: site.id,
          from: range.from,
          to: range.until,
          ...(channel !== null && { channel }),
          warehouse: engine.dialect,
          ...overview
        })
      }
      yield* Console.log(`${site.name}, ${range.from} to ${range.until}, from ${engine.dialect}\n`)
      yield* Console.log(formatOverview(overview))
      yield* Console.log("\nBy Umami's definitions, whatever the site's are; `bun run footfall ask` uses the site's.")
    },
    Effect.catchTag("QueryError", reportQueryError)
  )
).pipe(
  Command.withDescription(
    "Show a site's visitors, visits, pageviews, bounces and visit time, by Umami's definitions, whatever the site's are"
  ),
  Command.withExamples([
    { command: "bun run footfall sites stats 3f1c…", description: "Show the last 30 days" },
    {
      command: "bun run footfall sites stats 3f1c… --from 2026-03-01 --to 2026-04-01 --json",
      description: "Print March in UTC as JSON, for a script"
    }
  ])
)
