import { isIP } from "node:net"

/** Whether the text is an IP address or a CIDR: `10.1.2.3`, `10.0.0.0/8`, `2001:db8::/32`. */
export const isAddressRange = (text: string): boolean => {
  const [address = "", bits, ...more] = text.split("/")
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

const NAMES: ReadonlySet<string> = new Set(["loopback", "linklocal", "uniquelocal"])

/** Whether the text says whom to trust, as `TRUST_PROXY` does. */
export const isProxyTrust = (text: string): boolean => {
  const value = text.trim().toLowerCase()
  if (value === "none" || value === "all" || /^\d{1,2}$/.test(value)) return true
  const entries = value.split(",").flatMap((part) => part.trim() || [])
  return entries.length > 0 && entries.every((entry) => NAMES.has(entry) || isAddressRange(entry))
}
