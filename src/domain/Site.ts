import { Schema } from "effect"
import { SiteId } from "./ids.ts"

/** A token bucket: refill rate in events per second, size in events. */
export const RateLimit = Schema.Struct({
  eventsPerSecond: Schema.Finite.check(Schema.isGreaterThan(0)),
  burst: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
})
export type RateLimit = typeof RateLimit.Type

/** The burst for a rate when none is given: twice the rate, rounded up, at least 1. */
export const defaultBurst = (eventsPerSecond: number): number => Math.max(1, Math.ceil(2 * eventsPerSecond))

export const WeekStart = Schema.Literals(["monday", "sunday"])
export type WeekStart = typeof WeekStart.Type

/**
 * How a site's numbers are read where definitions differ: `strict` is Footfall's own, `umami` gives the numbers of Umami 3.1, for those who
 * moved here and compare.
 */
export const Definitions = Schema.Literals(["strict", "umami"])
export type Definitions = typeof Definitions.Type

/**
 * A registered site or app. An `archived` site is soft-deleted: it keeps its events and accepts no new ones.
 * `domains` are host names (`example.com`, `*.example.com`, `localhost:8080`); an empty list allows every origin.
 * `timezone` (IANA), `weekStart` and `currency` (ISO 4217) are the defaults of reports, and `definitions` those of questions.
 */
export class Site extends Schema.Class<Site>("Site")({
  id: SiteId,
  name: Schema.String,
  domains: Schema.Array(Schema.String),
  archived: Schema.Boolean,
  rateLimit: Schema.NullOr(RateLimit),
  timezone: Schema.String,
  weekStart: WeekStart,
  definitions: Definitions,
  currency: Schema.String,
  createdAt: Schema.Date,
  updatedAt: Schema.Date
}) {}

/** What a new site has unless given. */
export const SITE_DEFAULTS = {
  domains: [],
  rateLimit: null,
  timezone: "UTC",
  weekStart: "monday",
  definitions: "strict",
  currency: "USD"
} as const satisfies Partial<Site>
