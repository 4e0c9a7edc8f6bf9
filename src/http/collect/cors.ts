import { LruCache } from "../../lib/LruCache.ts"
import type { Sites } from "../../ports/Sites.ts"

/** The part of `Sites` that decides about origins. */
export type OriginPolicy = Pick<Sites["Service"], "find" | "allowsOrigin">

/** Origins whose headers are kept: busy sites send from a few. */
const ORIGINS_KEPT = 1_024
/** Longer origins are not kept: none that a browser sends is. */
const MAX_KEPT_LENGTH = 300

/** Headers that trackers send. With all of them in the first answer, browsers need no second preflight for a token. */
const TRACKER_HEADERS = ["*", "content-type", "x-umami-cache", "x-umami-website-id", "x-umami-hostname"]

/** Every requested header, named: for a request with credentials, browsers take `*` for a header's name. */
const allowedHeaders = (requested: string): string =>
  [...new Set([...TRACKER_HEADERS, ...requested.split(",").map((name) => name.trim().toLowerCase())])].join(", ")

/** Headers of every response, errors included, as in Umami 3.1. */
const commonHeaders = (maxAgeSeconds: number): ReadonlyArray<[string, string]> => [
  ["access-control-allow-headers", "*"],
  ["access-control-allow-methods", "GET, DELETE, POST, PUT"],
  ["access-control-max-age", String(maxAgeSeconds)],
  ["access-control-expose-headers", "x-umami-cache, x-request-id, retry-after"],
  ["cache-control", "no-cache"]
]

/**
 * Decides which origins may read responses: any for a site without domains, otherwise the site's own. For a preflight, or a body that
 * names no site, the origins of all sites count. An allowed origin is named, and may send credentials, since browsers reject `*` for a
 * request with credentials, and every beacon of JSON is one. No response depends on credentials.
 */
export class Cors {
  readonly #sites: OriginPolicy
  readonly #any: Headers
  readonly #anyJson: Headers
  readonly #none: ReadonlyArray<[string, string]>
  /** Headers of JSON responses to allowed origins. */
  readonly #allowed = new LruCache<Headers>(ORIGINS_KEPT)

  constructor(sites: OriginPolicy, maxAgeSeconds: number) {
    this.#sites = sites
    this.#none = commonHeaders(maxAgeSeconds)
    this.#any = new Headers([["access-control-allow-origin", "*"], ...this.#none])
    this.#anyJson = new Headers([["content-type", "application/json"], ...this.#any])
  }

  /** Headers of a response about a site (null: unknown) to a request from an origin (null: not from a page). Not to be changed. */
  headers(siteId: string | null, origin: string | null, json: boolean): Headers {
    if (origin === null) return json ? this.#anyJson : this.#any
    const site = siteId === null ? undefined : this.#sites.find(siteId)
    const allowed =
      site === undefined ? this.#sites.allowsOrigin(origin) : site.allowsEveryOrigin || site.allowsOrigin(origin)
    if (json && allowed) return this.#allowedJson(origin)
    return this.#make(allowed ? origin : null, json)
  }

  #allowedJson(origin: string): Headers {
    const known = this.#allowed.get(origin)
    if (known !== undefined) return known
    const headers = this.#make(origin, true)
    if (origin.length <= MAX_KEPT_LENGTH) this.#allowed.set(origin, headers)
    return headers
  }

  #make(allowedOrigin: string | null, json: boolean): Headers {
    const headers = new Headers([["vary", "Origin"], ...this.#none])
    if (allowedOrigin !== null) {
      headers.set("access-control-allow-origin", allowedOrigin)
      headers.set("access-control-allow-credentials", "true")
    }
    if (json) headers.set("content-type", "application/json")
    return headers
  }

  /** The response to a preflight: always 204, with or without permission. */
  preflight(request: Request, allow: string): Response {
    const headers = new Headers(this.headers(null, request.headers.get("origin"), false))
    const requested = request.headers.get("access-control-request-headers")
    if (requested !== null) {
      headers.set("access-control-allow-headers", allowedHeaders(requested))
      headers.append("vary", "Access-Control-Request-Headers")
    }
    headers.set("allow", allow)
    return new Response(null, { status: 204, headers })
  }
}
