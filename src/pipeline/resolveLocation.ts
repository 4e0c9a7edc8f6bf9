import { SIZE } from "../domain/columnSizes.ts"
import { isLocalAddress, withoutBrackets } from "../lib/ipAddress.ts"
import { cut, decodeComponentOrKeep } from "../lib/strings.ts"
import type { Geo, Location } from "../ports/Geo.ts"
import type { LocationHeaders } from "./vendors/ProxyVendor.ts"

const NOWHERE: Location = { country: null, region: null, city: null }

/** Codes that stand for an unknown country: Cloudflare's `XX`, its `T1` for Tor, and ISO 3166's user-assigned `ZZ`. */
const UNKNOWN_COUNTRIES: ReadonlySet<string> = new Set(["XX", "T1", "ZZ"])

/** The location in the first of these headers whose country is known; null if there is none. */
export const locationInHeaders = (headers: Headers, names: ReadonlyArray<LocationHeaders>): Location | null => {
  for (const [countryHeader, regionHeader, cityHeader] of names) {
    const country = decodeHeader(headers.get(countryHeader))?.toUpperCase() ?? null
    if (country === null || UNKNOWN_COUNTRIES.has(country)) continue
    return located(country, decodeHeader(headers.get(regionHeader)), decodeHeader(headers.get(cityHeader)))
  }
  return null
}

/**
 * Where the client is, as in Umami 3.1: nowhere for local addresses, else what believable headers say (`claimed`, null for none), else
 * what the geo database says.
 */
export const resolveLocation = (ip: string, claimed: Location | null, geo: Geo["Service"]): Location =>
  ip === "" || isLocalAddress(ip) ? NOWHERE : (claimed ?? geo.locate(withoutBrackets(ip)) ?? NOWHERE)

const located = (country: string, region: string | null, city: string | null): Location => ({
  country: country.length === 2 ? cut(country, 2) : null,
  region: region === null ? null : cut(region.includes("-") ? region : `${country}-${region}`, SIZE.region),
  city: city === null ? null : cut(city, SIZE.city)
})

/** Header bytes are UTF-8 that arrived as latin1; some providers percent-encode on top. */
const decodeHeader = (value: string | null): string | null => {
  if (value === null || value === "") return null
  return decodeComponentOrKeep(ASCII.test(value) ? value : Buffer.from(value, "latin1").toString("utf8"))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const ASCII = /^[\x00-\x7f]*$/
