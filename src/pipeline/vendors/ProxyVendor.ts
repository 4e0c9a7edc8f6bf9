import { AddressTable } from "../../lib/AddressTable.ts"
import published from "./addressRanges.json" with { type: "json" }

/** The headers in which a vendor sends a client's country, region and city. */
export type LocationHeaders = readonly [country: string, region: string, city: string]

/** A vendor of reverse proxies, and the headers that it writes or overwrites on each request. */
export interface ProxyVendor {
  readonly name: string
  /** The client's address in a header that the vendor overwrites; null where clients can set it, or where there is none. */
  readonly clientHeader: string | null
  /** As `clientHeader`, but used only when the operator names it (`CLIENT_IP_HEADER`). */
  readonly optionalHeader: string | null
  readonly locationHeaders: LocationHeaders | null
}

const CLOUDFLARE: ProxyVendor = {
  name: "Cloudflare",
  clientHeader: "cf-connecting-ip",
  optionalHeader: null,
  locationHeaders: ["cf-ipcountry", "cf-region-code", "cf-ipcity"]
}

const VERCEL: ProxyVendor = {
  name: "Vercel",
  clientHeader: null,
  optionalHeader: "x-vercel-forwarded-for",
  locationHeaders: ["x-vercel-ip-country", "x-vercel-ip-country-region", "x-vercel-ip-city"]
}

/** Sends `CloudFront-Viewer-Address` only where a distribution is configured to, but always appends to `X-Forwarded-For`. */
const CLOUDFRONT: ProxyVendor = {
  name: "CloudFront",
  clientHeader: null,
  optionalHeader: "cloudfront-viewer-address",
  locationHeaders: ["cloudfront-viewer-country", "cloudfront-viewer-country-region", "cloudfront-viewer-city"]
}

const EDGEONE: ProxyVendor = {
  name: "EdgeOne",
  clientHeader: null,
  optionalHeader: "eo-connecting-ip",
  locationHeaders: ["eo-ipcountry", "eo-region-code", "eo-ipcity"]
}

/** Passes on a `Fastly-Client-IP` that a client sends, but appends to `X-Forwarded-For`. */
const FASTLY: ProxyVendor = {
  name: "Fastly",
  clientHeader: null,
  optionalHeader: "fastly-client-ip",
  locationHeaders: null
}

/** Google Cloud's load balancers append the client and themselves to `X-Forwarded-For`. */
const GOOGLE: ProxyVendor = { name: "Google Cloud", clientHeader: null, optionalHeader: null, locationHeaders: null }

/** Umami's order of location headers. */
export const VENDORS: ReadonlyArray<ProxyVendor> = [CLOUDFLARE, VERCEL, CLOUDFRONT, EDGEONE, FASTLY, GOOGLE]

export const ALL_LOCATION_HEADERS: ReadonlyArray<LocationHeaders> = VENDORS.flatMap(({ locationHeaders }) =>
  locationHeaders === null ? [] : [locationHeaders]
)

/** Vendors that publish the addresses of their proxies. Vercel and EdgeOne do not. */
const WITH_RANGES: Readonly<Record<keyof typeof published.ranges, ProxyVendor>> = {
  cloudflare: CLOUDFLARE,
  cloudfront: CLOUDFRONT,
  fastly: FASTLY,
  google: GOOGLE
}

/** The published ranges, as of `compiled` in the file. */
export const VENDOR_ADDRESSES = new AddressTable<ProxyVendor>(
  Object.entries(WITH_RANGES).flatMap(([key, vendor]) =>
    published.ranges[key as keyof typeof published.ranges].cidrs.map((cidr) => [cidr, vendor] as const)
  )
)

/** The vendor that writes this header, if one does. */
export const vendorOfHeader = (header: string): ProxyVendor | null => {
  const name = header.toLowerCase()
  return VENDORS.find(({ clientHeader, optionalHeader }) => name === clientHeader || name === optionalHeader) ?? null
}
