import { Context, type Effect, Schema } from "effect"
import type { SiteId } from "../domain/ids.ts"
import type { RateLimit, Site } from "../domain/Site.ts"
import { FieldIssue, type SiteValues } from "../domain/siteValues.ts"

/** What an admin gives to create a site; values are judged by the service. Without an `id`, a random UUIDv4 is made. */
export interface SiteCreate extends SiteValues {
  readonly name: string
}

/** What an admin may change; an absent key is left alone, `rateLimit: null` takes the site's own limit away. */
export interface SiteUpdate extends Omit<SiteValues, "id"> {
  readonly archived?: boolean
}

/**
 * - `NotFound`: no site of this id.
 * - `Conflict`: a site of this id exists (soft-deleted ones count).
 * - `Invalid`: values are not acceptable; `issues` has each with its field, `message` says all of it.
 * - `Unavailable`: the app database can't be reached.
 */
export class SitesError extends Schema.TaggedError<SitesError>()("SitesError", {
  reason: Schema.Literals(["NotFound", "Conflict", "Invalid", "Unavailable"]),
  message: Schema.String,
  issues: Schema.optionalKey(Schema.Array(FieldIssue))
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
