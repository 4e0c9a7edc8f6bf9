import { Schema } from "effect"
import { SiteId } from "./ids.ts"

/** A refill rate in events a second and the bucket's size in events. */
export const RateLimit = Schema.Struct({
  eventsPerSecond: Schema.Finite.check(Schema.isGreaterThan(0)),
  burst: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
})
export type RateLimit = typeof RateLimit.Type

export const WeekStart = Schema.Literals(["monday", "sunday"])
export type WeekStart = typeof WeekStart.Type

/**
 * A registered site or app. `archived` means soft-deleted: it is kept with its events and takes no new ones.
 * `domains` are host names (`example.com`, `*.example.com`, `localhost:8080`); none means every origin is allowed.
 * `timezone` (IANA), `weekStart` and `currency` (ISO 4217) are the report's defaults.
 */
export class Site extends Schema.Class<Site>("Site")({
  id: SiteId,
  name: Schema.String,
  domains: Schema.Array(Schema.String),
  archived: Schema.Boolean,
  rateLimit: Schema.NullOr(RateLimit),
  timezone: Schema.String,
  weekStart: WeekStart,
  currency: Schema.String,
  createdAt: Schema.Date,
  updatedAt: Schema.Date
}) {}
