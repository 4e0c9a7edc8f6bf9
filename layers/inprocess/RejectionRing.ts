import { Layer } from "effect"
import { OFTEN_REJECTED, type RecentRejection, type RejectedAgent, Rejections } from "../../src/ports/Rejections.ts"

/** Rejections kept per site: as many as a person reads through. */
const PER_SITE = 200
/** Rejections kept in total: at most about 40 MB if every string has its maximum length, usually a tenth of that. */
const MAX_TOTAL = 20_000
/** Maximum lengths of strings in UTF-16 units, as in the columns of the same names. */
const MAX_LENGTH = { detail: 200, hostname: 100, urlPath: 500, userAgent: 300 } as const

/** The newest rejections of a site. `at` is the index of the next one, which overwrites the oldest if the ring is full. */
interface Ring {
  readonly entries: Array<RecentRejection>
  at: number
}

/** The beginning of a string, as a copy: a slice would keep the whole string in memory. */
const copyStart = (value: string, maxLength: number): string =>
  value.length <= maxLength ? value : Buffer.from(value.slice(0, maxLength), "utf8").toString("utf8")

const copyStartOrNull = (value: string | null, maxLength: number): string | null =>
  value === null ? null : copyStart(value, maxLength)

const rejectedAgentsOf = (
  siteId: string | null,
  entries: ReadonlyArray<RecentRejection>
): ReadonlyArray<RejectedAgent> => {
  const counts = new Map<string, number>()
  for (const { reason, userAgent } of entries) {
    if (reason === "Bot" && userAgent !== null) counts.set(userAgent, (counts.get(userAgent) ?? 0) + 1)
  }
  return [...counts].flatMap(([userAgent, count]) => (count < OFTEN_REJECTED ? [] : [{ siteId, userAgent, count }]))
}

/**
 * Rings of recent rejections in memory, one per site. When they reach the total, the sites with the oldest last rejections are dropped.
 */
export const makeRejectionRing = (
  options: { readonly perSite?: number; readonly maxTotal?: number } = {}
): Rejections["Service"] => {
  const { perSite = PER_SITE, maxTotal = MAX_TOTAL } = options
  /** In the order of each site's last rejection. */
  const rings = new Map<string | null, Ring>()
  let total = 0

  return Rejections.of({
    add: (siteId, rejection) => {
      const ring = rings.get(siteId) ?? { entries: [], at: 0 }
      rings.delete(siteId)
      rings.set(siteId, ring)
      if (ring.entries.length < perSite) total++
      ring.entries[ring.at] = {
        at: rejection.at,
        reason: rejection.reason,
        detail: copyStart(rejection.detail, MAX_LENGTH.detail),
        hostname: copyStartOrNull(rejection.hostname, MAX_LENGTH.hostname),
        urlPath: copyStartOrNull(rejection.urlPath, MAX_LENGTH.urlPath),
        userAgent: copyStartOrNull(rejection.userAgent, MAX_LENGTH.userAgent)
      }
      ring.at = (ring.at + 1) % perSite
      if (total <= maxTotal) return
      for (const [oldest, { entries }] of rings) {
        if (oldest === siteId) return
        rings.delete(oldest)
        total -= entries.length
        if (total <= maxTotal) return
      }
    },
    recent: (siteId, limit) => {
      const ring = rings.get(siteId)
      if (ring === undefined) return []
      const { entries, at } = ring
      const newest = entries.slice(0, at).reverse()
      return (entries.length < perSite ? newest : newest.concat(entries.slice(at).reverse())).slice(
        0,
        Math.max(0, limit)
      )
    },
    rejectedAgents: (limit) =>
      [...rings]
        .flatMap(([siteId, { entries }]) => rejectedAgentsOf(siteId, entries))
        .sort((a, b) => b.count - a.count)
        .slice(0, Math.max(0, limit))
  })
}

/** {@link makeRejectionRing} with the default limits. */
export const layer: Layer.Layer<Rejections> = Layer.sync(Rejections, makeRejectionRing)
