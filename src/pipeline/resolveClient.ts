import { Exit } from "effect"
import { normalizeAddress } from "../lib/ipAddress.ts"
import type { Location } from "../ports/Geo.ts"
import { type Device, resolveDevice } from "./resolveDevice.ts"
import { locationInHeaders, resolveLocation } from "./resolveLocation.ts"
import type { Step } from "./Step.ts"

/** Who sent a payload. `ip` and `address` live as long as the request: they are never stored, logged or counted. */
export interface Client extends Device, Location {
  /** What the session is derived from: the payload's `ip` exactly as given, as in Umami, otherwise the address. */
  readonly ip: string
  /** The address in normal form, for location and `IGNORE_IP`. */
  readonly address: string
  readonly userAgent: string
  readonly bot: boolean
}

/** The address in a payload's `ip`, which back ends copy from headers: perhaps a list, with spaces or a port. */
const addressIn = (ip: string): string => normalizeAddress(ip.split(",", 1)[0]!.trim())

/**
 * Resolves the client's address, user agent, device and location. The payload's `ip`, `userAgent`, `browser`, `os` and `device` take
 * precedence over the request's headers.
 */
export const resolveClient: Step = (draft, { addresses, agents, geo, policy }) => {
  const { payload, request } = draft
  const userAgent = payload.userAgent || request.headers.get("user-agent") || ""
  const agent = agents.parse(userAgent)
  const device = resolveDevice(agent, payload)
  const resolved = payload.ip ? null : addresses.resolve(request.peer, request.headers)
  const address = resolved === null ? addressIn(payload.ip!) : resolved.ip
  const claimed =
    resolved !== null && policy.useLocationHeaders ? locationInHeaders(request.headers, resolved.locationHeaders) : null
  const location = resolveLocation(address, claimed, geo)
  draft.client = {
    ip: payload.ip || address,
    address,
    userAgent,
    bot: agent.bot,
    browser: device.browser,
    os: device.os,
    device: device.device,
    country: location.country,
    region: location.region,
    city: location.city
  }
  return Exit.void
}
