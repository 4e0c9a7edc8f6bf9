import { Layer } from "effect"
import { type RecentRejection, Rejections } from "../../src/ports/Rejections.ts"

/** Rejections kept of one site: what a person looks through. */
const PER_SITE = 200
/** Rejections kept in all: at most some 40 MB when every text is as long as it may be, usually a tenth. */
const IN_ALL = 20_000
/** UTF-16 units kept of each text; the columns of the same names allow as much. */
const MOST = { detail: 200, hostname: 100, urlPath: 500, userAgent: 300 } as const

/** The newest `PER_SITE` of one site; `at` is where the next one goes, over the oldest once the ring is full. */
interface Ring {
  readonly entries: Array<RecentRejection>
  at: number
}

/** The first units of a text, as a string of its own: a plain slice would keep the whole text in memory. */
const cut = (text: string, most: number): string =>
  text.length <= most ? text : Buffer.from(text.slice(0, most), "utf8").toString("utf8")

const cutOrNull = (text: string | null, most: number): string | null => (text === null ? null : cut(text, most))

/**
 * Rings of recent rejections in memory, one a site. When all rings together hold too much, the sites whose last rejection is
 * the oldest are forgotten.
 */
export const makeRejectionRing = (
  options: { readonly perSite?: number; readonly inAll?: number } = {}
): Rejections["Service"] => {
  const { perSite = PER_SITE, inAll = IN_ALL } = options
  /** In order of the last rejection. */
  const rings = new Map<string | null, Ring>()
  let held = 0

  return Rejections.of({
    add: (siteId, rejection) => {
      const ring = rings.get(siteId) ?? { entries: [], at: 0 }
      rings.delete(siteId)
      rings.set(siteId, ring)
      if (ring.entries.length < perSite) held++
      ring.entries[ring.at] = {
        at: rejection.at,
        reason: rejection.reason,
        detail: cut(rejection.detail, MOST.detail),
        hostname: cutOrNull(rejection.hostname, MOST.hostname),
        urlPath: cutOrNull(rejection.urlPath, MOST.urlPath),
        userAgent: cutOrNull(rejection.userAgent, MOST.userAgent)
      }
      ring.at = (ring.at + 1) % perSite
      if (held <= inAll) return
      for (const [oldest, { entries }] of rings) {
        if (oldest === siteId) return
        rings.delete(oldest)
        held -= entries.length
        if (held <= inAll) return
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
    }
  })
}

/** {@link makeRejectionRing} with its usual bounds. */
export const layer: Layer.Layer<Rejections> = Layer.sync(Rejections, makeRejectionRing)
