import type { Sites } from "../../ports/Sites.ts"

/** The part of `Sites` that decides about origins. */
export type OriginPolicy = Pick<Sites["Service"], "find" | "allowsOrigin">

/** Headers of every response, errors included, as in Umami 3.1. `*` covers the headers of current and future trackers. */
const commonHeaders = (maxAgeSeconds: number): ReadonlyArray<[string, string]> => [
  ["access-control-allow-headers", "*"],
  ["access-control-allow-methods", "GET, DELETE, POST, PUT"],
  ["access-control-max-age", String(maxAgeSeconds)],
  ["access-control-expose-headers", "x-umami-cache, x-request-id, retry-after"],
  ["cache-control", "no-cache"]
]

/**
 * Decides which origins may read responses: any for a site without domains, otherwise the site's own. For a preflight, or a body that
 * names no site, the origins of all sites count.
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

  /** Headers of a response about a site (null: unknown) to a request from an origin (null: not from a page). */
  headers(siteId: string | null, origin: string | null, json: boolean): Headers {
    const site = siteId === null ? undefined : this.#sites.find(siteId)
    if (origin === null || site?.allowsEveryOrigin) return json ? this.#anyJson : this.#any
    const allowed = site === undefined ? this.#sites.allowsOrigin(origin) : site.allowsOrigin(origin)
    const headers = new Headers([["vary", "Origin"], ...this.#none])
    if (allowed) headers.set("access-control-allow-origin", origin)
    if (json) headers.set("content-type", "application/json")
    return headers
  }

  /** The response to a preflight: always 204, with or without permission. */
  preflight(request: Request, allow: string): Response {
    const headers = new Headers(this.headers(null, request.headers.get("origin"), false))
    headers.set("allow", allow)
    return new Response(null, { status: 204, headers })
  }
}
