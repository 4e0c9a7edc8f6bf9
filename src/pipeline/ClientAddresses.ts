import { isAddress, isLocalAddress, normalizeAddress, withoutBrackets } from "../lib/ipAddress.ts"
import type { ProxyTrust } from "../settings/proxyTrust.ts"
import type { AddressProblem } from "./addressProblem.ts"
import {
  ALL_LOCATION_HEADERS,
  type LocationHeaders,
  type ProxyVendor,
  VENDOR_ADDRESSES,
  vendorOfHeader
} from "./vendors/ProxyVendor.ts"

/** Headers that proxies write, in the order in which they are read. Vendors' own headers are not among them: clients could set them. */
export const FORWARDING_HEADERS = [
  "x-forwarded-for",
  "x-real-ip",
  "forwarded",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-forwarded"
] as const

/** Those that proxies write today. A proxy that writes one of them leaves the others as the client sent them. */
const USUAL_HEADERS: ReadonlyArray<string> = FORWARDING_HEADERS.slice(0, 2)

/** Umami's order of headers, for `TRUST_PROXY=all`, which is Umami's behavior. */
const UMAMI_HEADERS = [
  "true-client-ip",
  "cf-connecting-ip",
  "fastly-client-ip",
  "x-nf-client-connection-ip",
  "do-connecting-ip",
  "x-real-ip",
  "x-appengine-user-ip",
  "x-forwarded-for",
  "forwarded",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-forwarded"
] as const

/** A client's address, and where it was read from: a header's name, `connection`, or the payload. */
export interface ClientAddress {
  /** In normal form; `''` if unknown. */
  readonly ip: string
  readonly from: string
  /** Whether the peer's headers are trusted. */
  readonly trusted: boolean
  /** Name of the CDN that the request came through, where that is known from its published addresses. */
  readonly vendor: string | null
  /** The location headers that can be believed for this request. */
  readonly locationHeaders: ReadonlyArray<LocationHeaders>
}

/** The other end of a connection, and the vendor whose proxy it is. */
interface Connection extends ClientAddress {
  readonly peerVendor: ProxyVendor | null
}

const NO_LOCATION_HEADERS: ReadonlyArray<LocationHeaders> = []

const locationHeadersOf = (vendor: ProxyVendor | null): ReadonlyArray<LocationHeaders> =>
  vendor === null || vendor.locationHeaders === null ? NO_LOCATION_HEADERS : [vendor.locationHeaders]

/**
 * Resolves clients' addresses from connections and headers. From the connection, the chain of proxies is followed to the left, past
 * trusted addresses. At an address that a vendor publishes as its own, the vendor's headers are used, since it overwrites what clients send.
 */
export class ClientAddresses {
  readonly #trust: ProxyTrust
  readonly #headers: ReadonlyArray<string>
  /** `CLIENT_IP_HEADER`, and the vendor that writes it. */
  readonly #named: { readonly header: string; readonly vendor: ProxyVendor | null } | null
  readonly #report: (problem: AddressProblem) => void
  /** The last trusted peer: behind a proxy, all requests come from one or a few. Addresses of other peers are not kept. */
  #proxy: { readonly peer: string; readonly connection: Connection } | null = null

  /**
   * `header`: where the proxy writes the client's address (`CLIENT_IP_HEADER`), checked before the usual ones. `report` is called for each
   * request that shows a problem.
   */
  constructor(trust: ProxyTrust, header: string | null, report: (problem: AddressProblem) => void = () => {}) {
    this.#trust = trust
    this.#headers = trust._tag === "All" ? UMAMI_HEADERS : FORWARDING_HEADERS
    this.#named = header === null ? null : { header, vendor: vendorOfHeader(header) }
    this.#report = report
  }

  /** The client's address. `peer` is the IP address at the other end of the connection. */
  resolve(peer: string, headers: Headers): ClientAddress {
    const connection = this.#connection(peer)
    if (!connection.trusted) {
      if (this.#trust._tag === "Ranges" && this.#hasClient(headers)) this.#report("untrusted_peer")
      return connection
    }
    const vendor = connection.peerVendor
    const direct = vendor === null ? null : vendorClient(vendor, headers)
    if (direct !== null) return direct
    if (this.#named !== null) {
      const found = this.#read(this.#named.header, headers, this.#named.vendor ?? vendor)
      if (found !== null) return found
    }
    const names = this.#trust._tag !== "All" && this.#hasClient(headers) ? USUAL_HEADERS : this.#headers
    for (const name of names) {
      const found = this.#read(name, headers, vendor)
      if (found !== null) return found
    }
    return this.#farthestProxy(names, headers) ?? connection
  }

  /** The client in one header; null if it names none. `through` is the vendor that the request has come through so far. */
  #read(name: string, headers: Headers, through: ProxyVendor | null): ClientAddress | null {
    const value = headers.get(name)
    if (!value) return null
    const trust = this.#trust
    const chain = chainOf(name, value)
    switch (trust._tag) {
      case "None":
        return null
      case "All": {
        const ip = firstAddress(chain)
        return ip === null
          ? null
          : { ip, from: name, trusted: true, vendor: null, locationHeaders: ALL_LOCATION_HEADERS }
      }
      case "Hops":
        return this.#walk(name, chain.slice(0, Math.max(1, chain.length - trust.hops + 1)), headers, through)
      case "Ranges":
        return this.#walk(name, chain, headers, through)
    }
  }

  /** Follows a chain leftward to the first address that is neither trusted nor a vendor's. Hops count as trusted, addresses do not. */
  #walk(
    name: string,
    chain: ReadonlyArray<string>,
    headers: Headers,
    through: ProxyVendor | null
  ): ClientAddress | null {
    let vendor = through
    for (let i = chain.length - 1; i >= 0; i--) {
      const ip = normalizeAddress(chain[i]!)
      if (!isAddress(ip) || (this.#trust._tag === "Ranges" && this.#trust.isTrusted(ip))) continue
      const owner = VENDOR_ADDRESSES.find(withoutBrackets(ip))
      if (owner !== null) {
        const found = vendorClient(owner, headers)
        if (found !== null) return found
        if (i > 0) {
          vendor = owner
          continue
        }
      }
      if (isLocalAddress(ip) && hasPublicBefore(chain, i)) this.#report("private_client")
      return { ip, from: name, trusted: true, vendor: vendor?.name ?? null, locationHeaders: locationHeadersOf(vendor) }
    }
    return null
  }

  /** The first address of a chain in which every address is trusted: a client in our own network. */
  #farthestProxy(forwarding: ReadonlyArray<string>, headers: Headers): ClientAddress | null {
    const names = this.#named === null ? forwarding : [this.#named.header, ...forwarding]
    for (const name of names) {
      const value = headers.get(name)
      const ip = value ? firstAddress(chainOf(name, value)) : null
      if (ip !== null) return { ip, from: name, trusted: true, vendor: null, locationHeaders: NO_LOCATION_HEADERS }
    }
    return null
  }

  /** Whether a request has a header from which a trusted peer's client would be read. */
  #hasClient(headers: Headers): boolean {
    return (
      headers.has("x-forwarded-for") ||
      headers.has("x-real-ip") ||
      (this.#named !== null && headers.has(this.#named.header))
    )
  }

  /** The other end of the connection, and whether its headers are trusted: a vendor's are, unless no proxy is. */
  #connection(peer: string): Connection {
    if (this.#proxy !== null && this.#proxy.peer === peer) return this.#proxy.connection
    const ip = normalizeAddress(peer)
    const isNone = this.#trust._tag === "None"
    const owner = isNone || this.#trust._tag === "All" ? null : VENDOR_ADDRESSES.find(withoutBrackets(ip))
    const trusted = owner !== null || (!isNone && (this.#trust._tag !== "Ranges" || this.#trust.isTrusted(ip)))
    const connection: Connection = {
      ip,
      from: "connection",
      trusted,
      vendor: null,
      locationHeaders: this.#trust._tag === "All" ? ALL_LOCATION_HEADERS : NO_LOCATION_HEADERS,
      peerVendor: owner
    }
    if (trusted) this.#proxy = { peer, connection }
    return connection
  }
}

/** The client in the header that only this vendor writes. */
const vendorClient = (vendor: ProxyVendor, headers: Headers): ClientAddress | null => {
  const name = vendor.clientHeader
  const value = name === null ? null : headers.get(name)
  const ip = !value ? "" : normalizeAddress(value.slice(value.lastIndexOf(",") + 1).trim())
  return name === null || !isAddress(ip)
    ? null
    : { ip, from: name, trusted: true, vendor: vendor.name, locationHeaders: locationHeadersOf(vendor) }
}

/** The entries of a header, oldest first. */
const chainOf = (name: string, value: string): ReadonlyArray<string> => {
  if (name.toLowerCase() === "forwarded") return forwardedFor(value)
  return value.includes(",") ? value.split(",").map((part) => part.trim()) : [value.trim()]
}

/** The `for=` addresses of RFC 7239, without quotes; elements without one are skipped. */
const forwardedFor = (value: string): ReadonlyArray<string> =>
  [...value.matchAll(/for="?(\[?[0-9a-fA-F:.]+\]?)/gi)].map((match) => match[1]!)

const firstAddress = (chain: ReadonlyArray<string>): string | null => {
  for (const entry of chain) {
    const ip = normalizeAddress(entry)
    if (isAddress(ip)) return ip
  }
  return null
}

const hasPublicBefore = (chain: ReadonlyArray<string>, index: number): boolean => {
  for (let i = 0; i < index; i++) {
    const ip = normalizeAddress(chain[i]!)
    if (isAddress(ip) && !isLocalAddress(ip)) return true
  }
  return false
}
