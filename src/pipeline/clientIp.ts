import { type AddressMatcher, matcherOf, normalizeAddress } from "../lib/ipAddress.ts"

/** Whose word about the client's address is believed (`TRUST_PROXY`). */
export type ProxyTrust =
  | { readonly _tag: "None" }
  /** Every peer, and the first address it names: Umami's behavior. */
  | { readonly _tag: "All" }
  /** The last so many addresses of the chain are proxies of ours, the peer counted. */
  | { readonly _tag: "Hops"; readonly hops: number }
  /** Peers in these ranges; of the chain, the last address that is outside of them. */
  | { readonly _tag: "Ranges"; readonly isTrusted: AddressMatcher }

/** The trust that `TRUST_PROXY` states, or the entry that it can't be read from. */
export const parseProxyTrust = (text: string): ProxyTrust | { readonly wrong: string } => {
  const value = text.trim().toLowerCase()
  if (value === "none" || value === "0") return { _tag: "None" }
  if (value === "all") return { _tag: "All" }
  if (/^\d{1,2}$/.test(value)) return { _tag: "Hops", hops: Number(value) }
  const entries = value.split(",").flatMap((part) => part.trim() || [])
  const matcher = entries.length === 0 ? { wrong: text } : matcherOf(entries, { names: true })
  return typeof matcher === "function" ? { _tag: "Ranges", isTrusted: matcher } : matcher
}

/** Umami's order of headers (wire contract 1.6); the one with a list is `x-forwarded-for`. */
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

/** Where an address was read from: a header's name, the connection, or the payload. */
export interface ClientAddress {
  /** Normal form; `''` when there is none. */
  readonly ip: string
  readonly from: string
  /** Whether the peer's headers may be believed, those about the location too. */
  readonly trusted: boolean
}

/** The last peer that was believed: behind a proxy, all requests come from one or a few. Others' addresses are not kept. */
let proxy: { readonly peer: string; readonly trust: ProxyTrust; readonly address: ClientAddress } | null = null

/** The other end of the connection, and whether it is believed. */
const connectionOf = (peer: string, trust: ProxyTrust): ClientAddress => {
  if (proxy !== null && proxy.peer === peer && proxy.trust === trust) return proxy.address
  const ip = normalizeAddress(peer)
  const trusted = trust._tag !== "None" && (trust._tag !== "Ranges" || trust.isTrusted(ip))
  const address: ClientAddress = { ip, from: "connection", trusted }
  if (trusted) proxy = { peer, trust, address }
  return address
}

/** The client's address as the connection and the trusted headers tell it. `peer` is the other end of the connection. */
export const resolveClientAddress = (
  peer: string,
  headers: Headers,
  trust: ProxyTrust,
  clientIpHeader: string | null
): ClientAddress => {
  const connection = connectionOf(peer, trust)
  if (!connection.trusted) return connection
  let name: string | null = clientIpHeader
  let value = name === null ? null : headers.get(name)
  for (let i = 0; !value && i < CLIENT_IP_HEADERS.length; i++) {
    name = CLIENT_IP_HEADERS[i]!
    value = headers.get(name)
  }
  if (!value || name === null) return connection
  const isForwarded = name.toLowerCase() === "forwarded"
  if (!isForwarded && !value.includes(",")) return { ip: normalizeAddress(value.trim()), from: name, trusted: true }
  const chain = isForwarded ? forwardedFor(value) : value.split(",").map((part) => part.trim())
  return { ip: normalizeAddress(pick(chain, trust)), from: name, trusted: true }
}

/** The `for=` addresses of RFC 7239, quotes taken off; an element without one is left out. */
const forwardedFor = (value: string): ReadonlyArray<string> => {
  const found = [...value.matchAll(/for="?(\[?[0-9a-fA-F:.]+\]?)/gi)].map((match) => match[1]!)
  return found.length > 0 ? found : [value]
}

/** Of the addresses that proxies wrote, oldest first, the one that is the client's. */
const pick = (chain: ReadonlyArray<string>, trust: ProxyTrust): string => {
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
