import { originMatcher } from "../../../src/domain/allowedDomain.ts"
import type { Site } from "../../../src/domain/Site.ts"
import type { LiveSite } from "../../../src/ports/Sites.ts"

/** An immutable index for the hot path, rebuilt from all sites at each change. */
export interface LiveSites {
  readonly find: (id: string) => LiveSite | undefined
  readonly allowsOrigin: (origin: string) => boolean
}

/** Indexes the sites that are not archived. */
export const liveSites = (sites: Iterable<Site>): LiveSites => {
  const byId = new Map<string, LiveSite>()
  const domains: Array<string> = []
  let everyOrigin = false
  for (const site of sites) {
    if (site.archived) continue
    const origins = originMatcher(site.domains)
    byId.set(site.id.toLowerCase(), {
      id: site.id,
      rateLimit: site.rateLimit,
      allowsOrigin: origins.matches,
      allowsEveryOrigin: origins.everything
    })
    if (origins.everything) everyOrigin = true
    else domains.push(...site.domains)
  }
  const all = domains.length === 0 ? () => false : originMatcher(domains).matches
  return {
    // Trackers send the id as the snippet has it; the second look-up is for hand-written clients with upper-case ids.
    find: (id) => byId.get(id) ?? byId.get(id.toLowerCase()),
    allowsOrigin: everyOrigin ? () => true : all
  }
}
