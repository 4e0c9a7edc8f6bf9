import type { Site } from "../../domain/Site.ts"
import type { Settings } from "../../ports/Settings.ts"
import { PORT, PUBLIC_URL } from "../../settings/settings.ts"
import { trackingSnippet } from "../shared/snippet.ts"
import type { SiteJson } from "./Api.ts"

/** `PUBLIC_URL`, else this machine; with the free port of `PORT=0`, the address that was asked. */
export const publicUrl = ({ get }: Settings["Service"], asked: string | undefined): string => {
  const port = get(PORT)
  return get(PUBLIC_URL) ?? (port === 0 && asked !== undefined ? asked : `http://localhost:${port}`)
}

/** A site as the API and the command line show it. */
export const siteJson = (site: Site, snippet: { readonly scriptUrl: string; readonly hostUrl: string }): SiteJson => ({
  id: site.id,
  uuid: site.id,
  name: site.name,
  allowed_domains: site.domains,
  archived: site.archived,
  rate_limit:
    site.rateLimit === null ? null : { events_per_second: site.rateLimit.eventsPerSecond, burst: site.rateLimit.burst },
  timezone: site.timezone,
  week_start: site.weekStart,
  currency: site.currency,
  created_at: site.createdAt.toISOString(),
  updated_at: site.updatedAt.toISOString(),
  tracking_snippet: trackingSnippet({ siteId: site.id, ...snippet })
})
