import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import { Definitions, defaultBurst, WeekStart } from "../../domain/Site.ts"
import type { SiteValues } from "../../domain/siteValues.ts"
import { UsageError } from "../UsageError.ts"

export const optionalString = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** `--domain`, any number of times. */
export const domainFlag = (more: string) =>
  Flag.String("domain").pipe(
    Flag.withDescription(
      `A domain whose pages may send events: \`example.com\` (includes \`www.\`), \`*.example.com\`, each on any port, or \`example.com:8443\` for one port; ${more}`
    ),
    Flag.atLeast(0)
  )

/** A site's other values as flags of `create` and `update`. */
export const valueFlags = {
  timezone: optionalString("timezone", "IANA time zone of reports, such as Europe/Berlin"),
  weekStart: Flag.Literals("week-start", WeekStart.literals).pipe(
    Flag.withDescription("First day of the week in reports"),
    Flag.optional
  ),
  definitions: Flag.Literals("definitions", Definitions.literals).pipe(
    Flag.withDescription("How questions count visits, bounces and channels: by Footfall's definitions, or by Umami's"),
    Flag.optional
  ),
  currency: optionalString("currency", "ISO 4217 code of revenue in reports, such as EUR"),
  rate: Flag.Finite("rate").pipe(
    Flag.withDescription("Events per second that each collector process accepts from the site"),
    Flag.optional
  ),
  burst: Flag.Finite("burst").pipe(
    Flag.withDescription("Events accepted at once before the rate applies; default: twice the rate"),
    Flag.optional
  )
}

export interface ValueFlags {
  readonly domain: ReadonlyArray<string>
  readonly timezone: Option.Option<string>
  readonly weekStart: Option.Option<string>
  readonly definitions: Option.Option<string>
  readonly currency: Option.Option<string>
  readonly rate: Option.Option<number>
  readonly burst: Option.Option<number>
}

/** The given values, except for domains: without `--domain`, `create` allows every origin and `update` changes nothing. */
export const givenValues = (flags: ValueFlags): Effect.Effect<Omit<SiteValues, "domains">, UsageError> => {
  const timezone = Option.getOrNull(flags.timezone)
  const weekStart = Option.getOrNull(flags.weekStart)
  const definitions = Option.getOrNull(flags.definitions)
  const currency = Option.getOrNull(flags.currency)
  const rate = Option.getOrNull(flags.rate)
  const burst = Option.getOrNull(flags.burst)
  if (rate === null && burst !== null) return Effect.fail(new UsageError({ message: "--burst requires --rate." }))
  return Effect.succeed({
    ...(timezone !== null && { timezone }),
    ...(weekStart !== null && { weekStart }),
    ...(definitions !== null && { definitions }),
    ...(currency !== null && { currency }),
    ...(rate !== null && { rateLimit: { eventsPerSecond: rate, burst: burst ?? defaultBurst(rate) } })
  })
}
