import { normalizeAddress } from "../lib/ipAddress.ts"
import type { ProxyTrust } from "../settings/proxyTrust.ts"

/** Umami's order of headers; the one with a list is `x-forwarded-for`. */
export const CLIENT_IP_HEADERS = [
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
  /** Whether the peer's headers are trusted, including those with a location. */
  readonly trusted: boolean
}

/** Resolves clients' addresses from connections and trusted headers. */
export class ClientAddresses {
  readonly #trust: ProxyTrust
  readonly #header: string | null
  /** The last trusted peer: behind a proxy, all requests come from one or a few. Addresses of other peers are not kept. */
  #proxy: { readonly peer: string; readonly address: ClientAddress } | null = null

  /** `header`: where the proxy writes the client's address (`CLIENT_IP_HEADER`), checked before the usual ones. */
  constructor(trust: ProxyTrust, header: string | null) {
    this.#trust = trust
    this.#header = header
  }

  /** The client's address. `peer` is the IP address at the other end of the connection. */
  resolve(peer: string, headers: Headers): ClientAddress {
    const connection = this.#connection(peer)
    if (!connection.trusted) return connection
    let name: string | null = this.#header
    let value = name === null ? null : headers.get(name)
    for (let i = 0; !value && i < CLIENT_IP_HEADERS.length; i++) {
      name = CLIENT_IP_HEADERS[i]!
      value = headers.get(name)
    }
    if (!value || name === null) return connection
    const isForwarded = name.toLowerCase() === "forwarded"
    if (!isForwarded && !value.includes(",")) return { ip: normalizeAddress(value.trim()), from: name, trusted: true }
    const chain = isForwarded ? forwardedFor(value) : value.split(",").map((part) => part.trim())
    return { ip: normalizeAddress(clientOf(chain, this.#trust)), from: name, trusted: true }
  }

  /** The other end of the connection, and whether it is trusted. */
  #connection(peer: string): ClientAddress {
    if (this.#proxy !== null && this.#proxy.peer === peer) return this.#proxy.address
    const ip = normalizeAddress(peer)
    const trusted = this.#trust._tag !== "None" && (this.#trust._tag !== "Ranges" || this.#trust.isTrusted(ip))
    const address: ClientAddress = { ip, from: "connection", trusted }
    if (trusted) this.#proxy = { peer, address }
    return address
  }
}

/** The `for=` addresses of RFC 7239, without quotes; elements without one are skipped. */
const forwardedFor = (value: string): ReadonlyArray<string> => {
  const found = [...value.matchAll(/for="?(\[?[0-9a-fA-F:.]+\]?)/gi)].map((match) => match[1]!)
  return found.length > 0 ? found : [value]
}

/** The client's own address among those that proxies added, oldest first. */
const clientOf = (chain: ReadonlyArray<string>, trust: ProxyTrust): string => {
  switch (trust._tag) {
    case "Hops":
      return chain[Math.max(0, chain.length - trust.hops)] ?? ""
    case "Ranges":
      return (
        chain.findLast((address) => address !== "" && !trust.isTrusted(normalizeAddress(address))) ?? chain[0] ?? ""
      )
    default:
      return chain[0] ?? ""
  }
}
