import type { ClickIds, Page, Utm, Vitals } from "../domain/Event.ts"
import { SIZE } from "./limits.ts"
import type { Payload } from "./payload.ts"
import { cut, cutOrNull, decodeComponentOrKeep, decodeUriOrKeep } from "./text.ts"

/** Everything an event's row takes from the page's address (wire contract 1.10). */
export type Address = Page & Utm & ClickIds

const WWW = /^www./

const pathOf = (url: URL): string => (url.pathname === "/undefined" ? "" : url.pathname)

/** A host name that makes no URL (`foo bar`) is stored as sent and resolves nothing; Umami answers 500. */
const baseOf = (hostname: string | undefined): string => {
  if (hostname === undefined || hostname === "") return "https://localhost"
  const base = `https://${hostname}`
  return URL.canParse(base) ? base : "https://localhost"
}

/** Umami's page of an event: address, referrer, UTM parameters and click ids. A missing `url` is the path `''`. */
export const resolvePage = (payload: Payload, removeTrailingSlash: boolean): Address => {
  const base = baseOf(payload.hostname)
  const url = new URL(payload.url ?? "undefined", base)
  const rawPath = pathOf(url)
  let path = rawPath === "" ? "" : rawPath + url.hash
  if (removeTrailingSlash) path = path.replace(/\/(?=(#.*)?$)/, "")
  const search = url.search
  const query = search.length > 1 ? url.searchParams : NO_QUERY
  const referrer = payload.referrer ? new URL(payload.referrer, base) : null
  return {
    urlPath: cut(decodeUriOrKeep(path), SIZE.url),
    urlQuery: cutOrNull(search.substring(1), SIZE.url),
    hostname: cutOrNull(payload.hostname || url.hostname.replace(WWW, ""), SIZE.hostname),
    pageTitle: resolveTitle(payload),
    referrerPath: referrer === null ? null : cutOrNull(decodeUriOrKeep(referrer.pathname), SIZE.url),
    referrerQuery: referrer === null ? null : cutOrNull(referrer.search.substring(1), SIZE.url),
    referrerDomain: referrer === null ? null : cutOrNull(referrer.hostname.replace(WWW, ""), SIZE.url),
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

const NO_QUERY: Pick<URLSearchParams, "get"> = { get: () => null }

/** Umami stores of a `performance` payload the path alone, neither decoded nor with its hash, and the title. */
export const resolvePerformancePage = (payload: Payload): Address => ({
  ...NO_ADDRESS,
  urlPath: cut(pathOf(new URL(payload.url ?? "undefined", baseOf(payload.hostname))), SIZE.url),
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

const NO_VITALS: Vitals = { lcp: null, inp: null, fcp: null, ttfb: null, cls: null }

/** The web vitals of a `performance` payload; every other type has none. */
export const resolveVitals = (type: string, payload: Payload): Vitals =>
  type === "performance"
    ? {
        lcp: payload.lcp ?? null,
        inp: payload.inp ?? null,
        fcp: payload.fcp ?? null,
        ttfb: payload.ttfb ?? null,
        cls: payload.cls ?? null
      }
    : NO_VITALS
