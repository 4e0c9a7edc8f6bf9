import { normalizeAddress } from "../lib/ipAddress.ts"
import type { Geo, Location } from "../ports/Geo.ts"
import { resolveClientAddress } from "./clientIp.ts"
import type { DerivedIds } from "./identity.ts"
import { resolveLocation } from "./location.ts"
import type { Policy } from "./Policy.ts"
import type { Payload } from "./payload.ts"
import { type Device, parseAgent, resolveDevice } from "./resolveDevice.ts"

/** What arrived with a payload. `peer` is the address at the other end of the connection. */
export interface RequestContext {
  readonly headers: Headers
  readonly peer: string
  /** Of a batch, those that were made for it so far. */
  readonly derived?: DerivedIds
}

/** Who sent a payload. `ip` lives as long as the request: it is in nothing that is stored, logged or counted. */
export interface Client extends Device, Location {
  readonly ip: string
  readonly userAgent: string
  readonly bot: boolean
}

/** Address, agent, device and place; `payload.ip`, `.userAgent`, `.browser`, `.os`, `.device` come before what was sent around it. */
export const resolveClient = (
  payload: Payload,
  request: RequestContext,
  policy: Policy["Service"],
  geo: Geo["Service"]
): Client => {
  const userAgent = payload.userAgent || request.headers.get("user-agent") || ""
  const agent = parseAgent(userAgent)
  const device = resolveDevice(agent, payload)
  const address = payload.ip
    ? { ip: normalizeAddress(payload.ip), trusted: false }
    : resolveClientAddress(request.peer, request.headers, policy.trust, policy.clientIpHeader)
  const believed = address.trusted && policy.useLocationHeaders ? request.headers : null
  const location = resolveLocation(address.ip, believed, geo)
  return {
    ip: address.ip,
    userAgent,
    bot: agent.bot,
    browser: device.browser,
    os: device.os,
    device: device.device,
    country: location.country,
    region: location.region,
    city: location.city
  }
}
