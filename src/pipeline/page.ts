import type { ClickIds, Page, Utm } from "../domain/Event.ts"
import { LruCache } from "../lib/LruCache.ts"
import { cut, cutOrNull, decodeComponentOrKeep, decodeUriOrKeep } from "../lib/strings.ts"
import { ADDRESS_BAR_CACHE_ENTRIES, ADDRESS_BAR_CACHED_LENGTH, SIZE } from "./limits.ts"
import type { Payload } from "./payload.ts"

/** Everything an event's row takes from the page's address (wire contract 1.10). */
export type Address = Page & Utm & ClickIds

const WWW = /^www./

const pathOf = (url: URL): string => (url.pathname === "/undefined" ? "" : url.pathname)

/** A host name that makes no URL (`foo bar`) is stored as sent and resolves nothing; Umami answers 500. */
const baseOf = (hostname: string): string => {
  if (hostname === "") return "https://localhost"
  const base = `https://${hostname}`
  return URL.canParse(base) ? base : "https://localhost"
}

/** What is read from the address alone, and from the referrer alone. */
type UrlParts = Omit<Address, "pageTitle" | keyof Referrer>
type Referrer = Pick<Address, "referrerPath" | "referrerQuery" | "referrerDomain">

interface Known<A> {
  readonly base: string
  readonly value: A
}

const withSlash = new LruCache<Known<UrlParts>>(ADDRESS_BAR_CACHE_ENTRIES)
const withoutSlash = new LruCache<Known<UrlParts>>(ADDRESS_BAR_CACHE_ENTRIES)
const referrers = new LruCache<Known<Referrer>>(ADDRESS_BAR_CACHE_ENTRIES)

/**
 * Remembers results by their two texts: most events come from few pages, and parsing an address costs more than finding it. Found
 * by the address alone, since trackers send whole ones: those of one site under several names are few.
 */
const remembered = <A>(cache: LruCache<Known<A>>, base: string, text: string, make: () => A): A => {
  if (base.length + text.length > ADDRESS_BAR_CACHED_LENGTH) return make()
  const known = cache.get(text)
  if (known !== undefined && known.base === base) return known.value
  const value = make()
  cache.set(text, { base, value })
  return value
}

/** Umami's page of an event: address, referrer, UTM parameters and click ids. A missing `url` is the path `''`. */
export const resolvePage = (payload: Payload, removeTrailingSlash: boolean): Address => {
  const hostname = payload.hostname ?? ""
  const address = payload.url ?? "undefined"
  const page = remembered(removeTrailingSlash ? withoutSlash : withSlash, hostname, address, () =>
    resolveUrl(address, hostname, removeTrailingSlash)
  )
  const from = payload.referrer
    ? remembered(referrers, hostname, payload.referrer, () => resolveReferrer(payload.referrer!, hostname))
    : NO_REFERRER
  return {
    urlPath: page.urlPath,
    urlQuery: page.urlQuery,
    hostname: page.hostname,
    pageTitle: resolveTitle(payload),
    referrerPath: from.referrerPath,
    referrerQuery: from.referrerQuery,
    referrerDomain: from.referrerDomain,
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

const resolveUrl = (address: string, hostname: string, removeTrailingSlash: boolean): UrlParts => {
  const url = new URL(address, baseOf(hostname))
  const pathname = pathOf(url)
  const shown = pathname === "" ? "" : pathname + url.hash
  const path = removeTrailingSlash ? shown.replace(/\/(?=(#.*)?$)/, "") : shown
  const search = url.search
  const query = search.length > 1 ? url.searchParams : NO_QUERY
  return {
    urlPath: cut(decodeUriOrKeep(path), SIZE.url),
    urlQuery: cutOrNull(search.substring(1), SIZE.url),
    hostname: cutOrNull(hostname || url.hostname.replace(WWW, ""), SIZE.hostname),
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

const NO_REFERRER: Referrer = { referrerPath: null, referrerQuery: null, referrerDomain: null }

const resolveReferrer = (address: string, hostname: string): Referrer => {
  const url = new URL(address, baseOf(hostname))
  return {
    referrerPath: cutOrNull(decodeUriOrKeep(url.pathname), SIZE.url),
    referrerQuery: cutOrNull(url.search.substring(1), SIZE.url),
    referrerDomain: cutOrNull(url.hostname.replace(WWW, ""), SIZE.url)
  }
}

const NO_QUERY: Pick<URLSearchParams, "get"> = { get: () => null }

/** Umami stores of a `performance` payload the path alone, neither decoded nor with its hash, and the title. */
export const resolvePerformancePage = (payload: Payload): Address => ({
  ...NO_ADDRESS,
  urlPath: cut(pathOf(new URL(payload.url ?? "undefined", baseOf(payload.hostname ?? ""))), SIZE.url),
  pageTitle: resolveTitle(payload)
})

const resolveTitle = (payload: Payload): string | null =>
  payload.title === undefined ? null : cutOrNull(decodeComponentOrKeep(payload.title), SIZE.pageTitle)

const NO_ADDRESS: Address = {
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
