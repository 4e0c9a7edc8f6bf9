import { Effect } from "effect"
import type { SiteId } from "../../../domain/ids.ts"
import type { Site } from "../../../domain/Site.ts"
import { parseSiteId } from "../../../domain/siteValues.ts"
import type { Sites, SitesError } from "../../../ports/Sites.ts"
import { NotFound, ServiceUnavailable } from "../problems.ts"

export const siteUnavailable = (error: SitesError) => new ServiceUnavailable({ detail: error.message })

export const siteNotFound = (error: SitesError) =>
  error.reason === "NotFound" ? new NotFound({ detail: error.message }) : siteUnavailable(error)

/** The id in a path. A malformed one is reported as a site that does not exist. */
export const siteIdOf = (given: string): Effect.Effect<SiteId, NotFound> => {
  const id = parseSiteId(given)
  return id === null
    ? Effect.fail(new NotFound({ detail: `There is no site with the id ${JSON.stringify(given.slice(0, 100))}.` }))
    : Effect.succeed(id)
}

/** The site of a path, live or archived. */
export const getSite = (sites: Sites["Service"], given: string): Effect.Effect<Site, NotFound | ServiceUnavailable> =>
  Effect.flatMap(siteIdOf(given), (id) => Effect.mapError(sites.get(id), siteNotFound))
