import { Effect } from "effect"
import { isLocalAddress } from "../lib/ipAddress.ts"
import { Geo, type Location } from "../ports/Geo.ts"
import { type ProxyTrust, resolveClientAddress } from "./clientIp.ts"
import { resolveLocation } from "./location.ts"
import { Policy } from "./Policy.ts"
import type { RequestContext } from "./resolveClient.ts"

/** Whom an event sent like this request would be from, and the reasons in words. Told to whoever asked, never kept. */
export interface ClientExplanation extends Location {
  readonly ip: string
  readonly why: string
}

/** What `TRUST_PROXY` means for the headers of a peer, in words. */
export const trustInWords = (trust: ProxyTrust): string => {
  switch (trust._tag) {
    case "None":
      return "no proxy is trusted: the client is whoever opened the connection"
    case "All":
      return "every peer is trusted: anyone may claim any address in a header"
    case "Hops":
      return `the last ${trust.hops} of the addresses in the chain are taken for proxies`
    case "Ranges":
      return "headers are believed when the connection comes from one of the trusted ranges"
  }
}

/** The same steps as an event's, with the reason for each outcome. */
export const explainClient = Effect.fnUntraced(function* (request: RequestContext) {
  const policy = yield* Policy
  const geo = yield* Geo
  const address = resolveClientAddress(request.peer, request.headers, policy.trust, policy.clientIpHeader)
  const location = resolveLocation(
    address.ip,
    address.trusted && policy.useLocationHeaders ? request.headers : null,
    geo
  )
  const state = geo.state()
  const why = [
    address.from === "connection"
      ? address.trusted
        ? "The address is the connection's: the peer is a trusted proxy, but sent no header with a client's address."
        : "The address is the connection's: headers of this peer are not believed."
      : `The address is from the header \`${address.from}\`, which a trusted peer sent.`,
    `By TRUST_PROXY, ${trustInWords(policy.trust)}.`,
    ...(location.country !== null
      ? []
      : isLocalAddress(address.ip)
        ? ["There is no location: the address is local or private."]
        : state._tag !== "On"
          ? [`There is no location: ${state.why}`]
          : ["There is no location: the geo database does not have the address."])
  ]
  const explanation: ClientExplanation = { ip: address.ip, ...location, why: why.join(" ") }
  return explanation
})
