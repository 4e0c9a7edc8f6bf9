import { Context, type Effect, Schema } from "effect"
import type { SiteId } from "../domain/ids.ts"
import { RateLimit, Site, WeekStart } from "../domain/Site.ts"

/** What an admin gives to create a site. Without an `id`, a random UUIDv4 is made. */
export const SiteCreate = Schema.Struct({
  id: Schema.optionalKey(Site.fields.id),
  name: Schema.String.check(Schema.isTrimmed(), Schema.isMinLength(1), Schema.isMaxLength(100)),
  domains: Schema.optionalKey(Schema.Array(Schema.String)),
  rateLimit: Schema.optionalKey(Schema.NullOr(RateLimit)),
  timezone: Schema.optionalKey(Schema.String),
  weekStart: Schema.optionalKey(WeekStart),
  currency: Schema.optionalKey(Schema.String)
})
export type SiteCreate = typeof SiteCreate.Type

/** What an admin may change; an absent key is left alone, `rateLimit: null` takes the site's own limit away. */
export const SiteUpdate = Schema.Struct({
  name: Schema.optionalKey(SiteCreate.fields.name),
  domains: SiteCreate.fields.domains,
  rateLimit: SiteCreate.fields.rateLimit,
  timezone: SiteCreate.fields.timezone,
  weekStart: SiteCreate.fields.weekStart,
  currency: SiteCreate.fields.currency,
  archived: Schema.optionalKey(Schema.Boolean)
})
export type SiteUpdate = typeof SiteUpdate.Type

/**
 * - `NotFound`: no site of this id.
 * - `Conflict`: a site of this id exists (soft-deleted ones count).
 * - `Invalid`: a value is not acceptable; `message` names the field and what it accepts.
 * - `Unavailable`: the app database can't be reached.
 */
export class SitesError extends Schema.TaggedError<SitesError>()("SitesError", {
  reason: Schema.Literals(["NotFound", "Conflict", "Invalid", "Unavailable"]),
  message: Schema.String
}) {}

/** What the hot path needs to know of a live site; made once per change, not per event. */
export interface LiveSite {
  readonly id: SiteId
  readonly rateLimit: RateLimit | null
  /** Whether a request with this `Origin` may read the answer. */
  readonly allowsOrigin: (origin: string) => boolean
  /** True when the site names no domain: every origin is allowed. */
  readonly allowsEveryOrigin: boolean
}

/**
 * The registered sites, always in the app database. Reads of the hot path come from a copy in memory that follows changes
 * made by any process within 5 s; while the database is away, the last copy is used.
 */
export class Sites extends Context.Service<
  Sites,
  {
    /** A live (not archived) site by its id in lower case; never a query. */
    readonly find: (id: string) => LiveSite | undefined
    /** Whether any live site lets this origin read answers; decides preflights, which do not name a site. */
    readonly allowsOrigin: (origin: string) => boolean
    /** All sites ordered by name, archived ones only when asked for. */
    readonly list: (options: { readonly archived: boolean }) => Effect.Effect<ReadonlyArray<Site>, SitesError>
    readonly get: (id: SiteId) => Effect.Effect<Site, SitesError>
    readonly create: (site: SiteCreate) => Effect.Effect<Site, SitesError>
    readonly update: (id: SiteId, change: SiteUpdate) => Effect.Effect<Site, SitesError>
    /** Soft delete; the archived site is the answer. */
    readonly archive: (id: SiteId) => Effect.Effect<Site, SitesError>
  }
>()("footfall/ports/Sites") {}
