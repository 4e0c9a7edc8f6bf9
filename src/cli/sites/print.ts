import { Console, Effect } from "effect"
import type { Site } from "../../domain/Site.ts"
import { siteJson } from "../../http/shared/json/site.ts"
import { snippetUrls } from "../../http/shared/publicUrl.ts"
import { Settings } from "../../ports/Settings.ts"
import { details, printJson } from "../output.ts"

/** Renders sites as JSON, with the snippet for this instance. */
export const toJson = Effect.map(Settings, (settings) => {
  const snippet = snippetUrls(settings, null)
  return (site: Site) => siteJson(site, snippet)
})

export const formatDomains = ({ domains }: Site): string => (domains.length === 0 ? "all" : domains.join(", "))

export const formatRateLimit = ({ rateLimit }: Site): string =>
  rateLimit === null ? "default" : `${rateLimit.eventsPerSecond}/s, burst ${rateLimit.burst}`

export const printSite = Effect.fnUntraced(function* (
  site: Site,
  options: { readonly json: boolean; readonly heading?: string }
) {
  const shown = (yield* toJson)(site)
  if (options.json) return yield* printJson(shown)
  if (options.heading !== undefined) yield* Console.log(`${options.heading}\n`)
  yield* Console.log(
    details([
      ["id", site.id],
      ["name", site.name],
      ["domains", formatDomains(site)],
      ["state", site.archived ? "archived: accepts no events" : "live"],
      ["rate limit", formatRateLimit(site)],
      ["time zone", site.timezone],
      ["week starts", site.weekStart],
      ["definitions", site.definitions],
      ["currency", site.currency],
      ["created", site.createdAt.toISOString()],
      ["updated", site.updatedAt.toISOString()]
    ])
  )
  if (!site.archived) yield* Console.log(`\nPaste this into the <head> of your pages:\n\n${shown.tracking_snippet}`)
})
