import type { Sites } from "../../ports/Sites.ts"

/** The part of the port that decides. */
export type OriginPolicy = Pick<Sites["Service"], "find" | "allowsOrigin">

/** On every answer, errors included (wire contract 1.5); `*` covers the headers of today's trackers and tomorrow's. */
const commonHeaders = (maxAgeSeconds: number): ReadonlyArray<[string, string]> => [
  ["access-control-allow-headers", "*"],
  ["access-control-allow-methods", "GET, DELETE, POST, PUT"],
  ["access-control-max-age", String(maxAgeSeconds)],
  ["access-control-expose-headers", "x-umami-cache, x-request-id, retry-after"],
  ["cache-control", "no-cache"]
]

/**
 * Who may read answers: every origin for a site without domains, the site's own for one with. A preflight and a body that
 * names no site are judged by all sites together.
 */
export class Cors {
  readonly #sites: OriginPolicy
  readonly #any: Headers
  readonly #anyJson: Headers
  readonly #none: ReadonlyArray<[string, string]>

  constructor(sites: OriginPolicy, maxAgeSeconds: number) {
    this.#sites = sites
    this.#none = commonHeaders(maxAgeSeconds)
    this.#any = new Headers([["access-control-allow-origin", "*"], ...this.#none])
    this.#anyJson = new Headers([["content-type", "application/json"], ...this.#any])
  }

  /** Headers for an answer about the site (null: none that we know) to a request of this origin (null: not of a page). */
  headers(siteId: string | null, origin: string | null, json: boolean): Headers {
    const site = siteId === null ? undefined : this.#sites.find(siteId)
    if (origin === null || site?.allowsEveryOrigin) return json ? this.#anyJson : this.#any
    const allowed = site === undefined ? this.#sites.allowsOrigin(origin) : site.allowsOrigin(origin)
    const headers = new Headers([["vary", "Origin"], ...this.#none])
    if (allowed) headers.set("access-control-allow-origin", origin)
    if (json) headers.set("content-type", "application/json")
    return headers
  }

  /** The preflight's answer: 204 either way, the origin is allowed or it is not. */
  preflight(request: Request, allow: string): Response {
    const headers = new Headers(this.headers(null, request.headers.get("origin"), false))
    headers.set("allow", allow)
    return new Response(null, { status: 204, headers })
  }
}
