import { Exit } from "effect"
import { SIZE } from "../domain/columnSizes.ts"
import type { ClickIds, Page, Utm } from "../domain/Event.ts"
import { LruCache } from "../lib/LruCache.ts"
import { cut, cutOrNull, decodeComponentOrKeep, decodeUriOrKeep } from "../lib/strings.ts"
import { PAGE_CACHE_ENTRIES, PAGE_CACHED_LENGTH } from "./limits.ts"
import type { Payload } from "./payload.ts"
import type { Step } from "./Step.ts"

/** Every column derived from the page's URL, its referrer and its title, as in Umami 3.1. */
export type PageFields = Page & Utm & ClickIds

const WWW = /^www./

const pathOf = (url: URL): string => (url.pathname === "/undefined" ? "" : url.pathname)

/** A hostname that is invalid in a URL (`foo bar`) is stored as sent and not used to resolve the URL; Umami answers 500. */
const baseOf = (hostname: string): string => {
  if (hostname === "") return "https://localhost"
  const base = `https://${hostname}`
  return URL.canParse(base) ? base : "https://localhost"
}

/** Back ends send host names of other scripts as they are written, browsers in ASCII form: one site must not have two names. */
const asciiHost = (hostname: string): string =>
  ASCII.test(hostname) ? hostname : (URL.parse(`https://${hostname}`)?.host ?? hostname)

// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const ASCII = /^[\x00-\x7f]*$/

type UrlFields = Omit<PageFields, "pageTitle" | keyof Referrer>
type Referrer = Pick<PageFields, "referrerPath" | "referrerQuery" | "referrerDomain">

interface Resolved<A> {
  readonly hostname: string
  readonly value: A
}

/** Resolves pages and remembers them: most events come from few pages, and parsing a URL takes longer than finding it. */
export class PageResolver {
  readonly #removeTrailingSlash: boolean
  readonly #urls = new LruCache<Resolved<UrlFields>>(PAGE_CACHE_ENTRIES)
  readonly #referrers = new LruCache<Resolved<Referrer>>(PAGE_CACHE_ENTRIES)

  constructor(removeTrailingSlash: boolean) {
    this.#removeTrailingSlash = removeTrailingSlash
  }

  /** Umami's page of an event: URL, referrer, UTM parameters and click ids. A missing `url` is the path `''`. */
  resolve(payload: Payload): PageFields {
    const hostname = payload.hostname ?? ""
    const page = this.#url(payload.url ?? "undefined", hostname)
    const referrer =
      payload.referrer && RESOLVABLE.test(payload.referrer) ? this.#referrer(payload.referrer, hostname) : NO_REFERRER
    return {
      urlPath: page.urlPath,
      urlQuery: page.urlQuery,
      hostname: page.hostname,
      pageTitle: resolveTitle(payload),
      referrerPath: referrer.referrerPath,
      referrerQuery: referrer.referrerQuery,
      referrerDomain: referrer.referrerDomain,
      utmSource: page.utmSource,
      utmMedium: page.utmMedium,
      utmCampaign: page.utmCampaign,
      utmContent: page.utmContent,
      utmTerm: page.utmTerm,
      gclid: page.gclid,
      fbclid: page.fbclid,
      msclkid: page.msclkid,
      ttclid: page.ttclid,
      liFatId: page.liFatId,
      twclid: page.twclid
    }
  }

  // Found by the URL only, since trackers send absolute ones: few sites send the same URL under several hostnames.
  #url(url: string, hostname: string): UrlFields {
    const known = this.#urls.get(url)
    if (known !== undefined && known.hostname === hostname) return known.value
    const value = resolveUrl(url, hostname, this.#removeTrailingSlash)
    if (hostname.length + url.length <= PAGE_CACHED_LENGTH) this.#urls.set(url, { hostname, value })
    return value
  }

  #referrer(referrer: string, hostname: string): Referrer {
    const known = this.#referrers.get(referrer)
    if (known !== undefined && known.hostname === hostname) return known.value
    const value = resolveReferrer(referrer, hostname)
    if (hostname.length + referrer.length <= PAGE_CACHED_LENGTH) this.#referrers.set(referrer, { hostname, value })
    return value
  }
}

/** Resolves the page that the event happened on. */
export const resolvePage: Step = (draft, { pages }) => {
  draft.page = draft.type === "performance" ? performancePage(draft.payload) : pages.resolve(draft.payload)
  return Exit.void
}

const resolveUrl = (sent: string, hostname: string, removeTrailingSlash: boolean): UrlFields => {
  const url = new URL(sent, baseOf(hostname))
  const pathname = pathOf(url)
  const withHash = pathname === "" ? "" : pathname + url.hash
  const path = removeTrailingSlash ? withHash.replace(/\/(?=(#.*)?$)/, "") : withHash
  const search = url.search
  const query = search.length > 1 ? url.searchParams : NO_QUERY
  return {
    urlPath: cut(decodeUriOrKeep(path), SIZE.url),
    urlQuery: cutOrNull(search.substring(1), SIZE.url),
    hostname: cutOrNull(hostname === "" ? url.hostname.replace(WWW, "") : asciiHost(hostname), SIZE.hostname),
    utmSource: cutOrNull(query.get("utm_source"), SIZE.campaign),
    utmMedium: cutOrNull(query.get("utm_medium"), SIZE.campaign),
    utmCampaign: cutOrNull(query.get("utm_campaign"), SIZE.campaign),
    utmContent: cutOrNull(query.get("utm_content"), SIZE.campaign),
    utmTerm: cutOrNull(query.get("utm_term"), SIZE.campaign),
    gclid: cutOrNull(query.get("gclid"), SIZE.campaign),
    fbclid: cutOrNull(query.get("fbclid"), SIZE.campaign),
    msclkid: cutOrNull(query.get("msclkid"), SIZE.campaign),
    ttclid: cutOrNull(query.get("ttclid"), SIZE.campaign),
    liFatId: cutOrNull(query.get("li_fat_id"), SIZE.campaign),
    twclid: cutOrNull(query.get("twclid"), SIZE.campaign)
  }
}

/** An absolute URL, or one relative to the site. A bare word is neither: it is not a path on the site. */
const RESOLVABLE = /^(?:[/\\?#]|[a-z][a-z\d+.-]*:)/i

const NO_REFERRER: Referrer = { referrerPath: null, referrerQuery: null, referrerDomain: null }

const resolveReferrer = (sent: string, hostname: string): Referrer => {
  const url = new URL(sent, baseOf(hostname))
  return {
    referrerPath: cutOrNull(decodeUriOrKeep(url.pathname), SIZE.url),
    referrerQuery: cutOrNull(url.search.substring(1), SIZE.url),
    referrerDomain: cutOrNull(url.hostname.replace(WWW, ""), SIZE.url)
  }
}

const NO_QUERY: Pick<URLSearchParams, "get"> = { get: () => null }

/** For a `performance` payload, Umami stores only the title and the path, neither decoded nor with its hash. */
const performancePage = (payload: Payload): PageFields => ({
  ...NO_PAGE,
  urlPath: cut(pathOf(new URL(payload.url ?? "undefined", baseOf(payload.hostname ?? ""))), SIZE.url),
  pageTitle: resolveTitle(payload)
})

const resolveTitle = (payload: Payload): string | null =>
  payload.title === undefined ? null : cutOrNull(decodeComponentOrKeep(payload.title), SIZE.pageTitle)

/** A page of which nothing is known. */
export const NO_PAGE: PageFields = {
  urlPath: "",
  urlQuery: null,
  hostname: null,
  pageTitle: null,
  referrerPath: null,
  referrerQuery: null,
  referrerDomain: null,
  utmSource: null,
  utmMedium: null,
  utmCampaign: null,
  utmContent: null,
  utmTerm: null,
  gclid: null,
  fbclid: null,
  msclkid: null,
  ttclid: null,
  liFatId: null,
  twclid: null
}
