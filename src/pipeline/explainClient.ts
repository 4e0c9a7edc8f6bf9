import { Effect } from "effect"
import { isLocalAddress } from "../lib/ipAddress.ts"
import { Geo, type GeoState, type Location } from "../ports/Geo.ts"
import type { ProxyTrust } from "../settings/proxyTrust.ts"
import { type AddressProblem, explainAddressProblem } from "./addressProblem.ts"
import { type ClientAddress, ClientAddresses } from "./ClientAddresses.ts"
import type { RequestContext } from "./Draft.ts"
import { Policy } from "./Policy.ts"
import { locationInHeaders, resolveLocation } from "./resolveLocation.ts"

/** The client that an event sent like this request would have, and why. Shown to the requester, never kept. */
export interface ClientExplanation extends Location {
  readonly ip: string
  readonly why: string
}

/** What `TRUST_PROXY` means, in words. */
export const trustInWords = (trust: ProxyTrust): string => {
  switch (trust._tag) {
    case "None":
      return "no proxy is trusted; the client is the other end of the connection"
    case "All":
      return "every peer is trusted; anyone can claim any address in a header"
    case "Hops":
      return `the last ${trust.hops} addresses of the chain are taken to be proxies`
    case "Ranges":
      return "headers from peers in its ranges are trusted, and a CDN's own headers from the addresses that it publishes"
  }
}

/** Runs the same steps as for an event and explains each result. */
export const explainClient = Effect.fnUntraced(function* (request: RequestContext) {
  const policy = yield* Policy
  const geo = yield* Geo
  const problems: Array<AddressProblem> = []
  const addresses = new ClientAddresses(policy.trust, policy.clientIpHeader, (problem) => problems.push(problem))
  const address = addresses.resolve(request.peer, request.headers)
  const claimed = policy.useLocationHeaders ? locationInHeaders(request.headers, address.locationHeaders) : null
  const location = resolveLocation(address.ip, claimed, geo)
  const why = [
    whyAddress(address),
    ...problems.map((problem) => explainAddressProblem(problem).remedy),
    `TRUST_PROXY: ${trustInWords(policy.trust)}.`,
    ...(location.country === null ? [whyNoLocation(address.ip, geo.state())] : [])
  ]
  const explanation: ClientExplanation = { ip: address.ip, ...location, why: why.join(" ") }
  return explanation
})

const whyAddress = ({ from, trusted, vendor }: ClientAddress): string => {
  if (from !== "connection") {
    const through = vendor === null ? "" : `, and the request came through ${vendor}`
    return `The header \`${from}\` of a trusted proxy names this address${through}.`
  }
  return trusted
    ? "This is the address that the request came from: no header names a client."
    : "This is the address that the request came from, whose headers are not trusted."
}

const whyNoLocation = (ip: string, state: GeoState): string => {
  if (isLocalAddress(ip)) return "There is no location: the address is local or private."
  return state._tag === "On"
    ? "There is no location: the geo database does not contain the address."
    : `There is no location: ${state.why}`
}
