import { Context, type Effect, Schema } from "effect"
import { FieldIssue } from "../domain/fieldIssues.ts"
import type { SiteId } from "../domain/ids.ts"
import type { RateLimit, Site } from "../domain/Site.ts"
import type { SiteValues } from "../domain/siteValues.ts"

/** A new site; the service validates the values. Without an `id`, it gets a random UUIDv4. */
export interface SiteCreate extends SiteValues {
  readonly name: string
}

/** A change of a site: absent keys keep their values, `rateLimit: null` removes the site's own limit. */
export interface SiteUpdate extends Omit<SiteValues, "id"> {
  readonly archived?: boolean
}

/** Which sites a list contains. */
export interface SiteListOptions {
  /** Whether the archived ones are among them. */
  readonly archived: boolean
  /** Maximum number of sites; all by default. */
  readonly limit?: number
  /** The site that the list continues after. The list is empty if no site has this id. */
  readonly after?: SiteId
}

/**
 * - `NotFound`: no site has this id.
 * - `Conflict`: a site with this id exists, perhaps archived.
 * - `Invalid`: values were rejected; `issues` lists each with its field, `message` has all of them.
 * - `Unavailable`: the app database can't be reached.
 */
export class SitesError extends Schema.TaggedError<SitesError>()("SitesError", {
  reason: Schema.Literals(["NotFound", "Conflict", "Invalid", "Unavailable"]),
  message: Schema.String,
  issues: Schema.optionalKey(Schema.Array(FieldIssue))
}) {}

/** What the hot path needs of a live site, computed once per change. */
export interface LiveSite {
  readonly id: SiteId
  readonly rateLimit: RateLimit | null
  /** Whether a request with this `Origin` may read the response. */
  readonly allowsOrigin: (origin: string) => boolean
  /** True when the site has no domains, so that every origin is allowed. */
  readonly allowsEveryOrigin: boolean
}

/**
 * The registered sites, stored in the app database. The hot path reads an in-memory copy that follows changes made by any process
 * within 5 s; while the database is unreachable, the last copy is used.
 */
export class Sites extends Context.Service<
  Sites,
  {
    /** A live (not archived) site by its id in lower case, from memory. */
    readonly find: (id: string) => LiveSite | undefined
    /** Whether any live site allows this origin; decides preflight requests, which do not name a site. */
    readonly allowsOrigin: (origin: string) => boolean
    /** The sites ordered by name. */
    readonly list: (options: SiteListOptions) => Effect.Effect<ReadonlyArray<Site>, SitesError>
    readonly get: (id: SiteId) => Effect.Effect<Site, SitesError>
    readonly create: (site: SiteCreate) => Effect.Effect<Site, SitesError>
    readonly update: (id: SiteId, change: SiteUpdate) => Effect.Effect<Site, SitesError>
    /** Soft-deletes a site and returns it. */
    readonly archive: (id: SiteId) => Effect.Effect<Site, SitesError>
  }
>()("footfall/ports/Sites") {}
