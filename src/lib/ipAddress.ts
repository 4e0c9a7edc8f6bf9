import { Result } from "effect"
import ipaddr from "ipaddr.js"
import { hexDigit } from "./hexDigit.ts"

type Address = ipaddr.IPv4 | ipaddr.IPv6

const DOT = 46
const DIGIT_0 = 48

/*
 * Nearly all addresses are canonical dotted quads or plain IPv6, and each visitor has a different one. These two forms are parsed here,
 * at a tenth of the library's cost; the library parses everything else (zones, embedded IPv4, brackets, garbage).
 */

/*
 * Each step of an event asks something else about one and the same address: is it one, is it trusted, is it a vendor's, is it local. So the
 * last string is remembered with its result, and nothing beyond it: addresses are not kept.
 */
let lastQuadText = ""
let lastQuad: number | null = null
let lastGroupsText = ""
let lastGroups: ReadonlyArray<number> | null = null

/** A canonical dotted quad as an unsigned number; null for any other string. */
export const quad = (text: string): number | null => {
  if (text === lastQuadText) return lastQuad
  lastQuad = parseQuad(text)
  lastQuadText = text
  return lastQuad
}

const parseQuad = (text: string): number | null => {
  const length = text.length
  if (length < 7 || length > 15) return null
  let address = 0
  let part = 0
  let digits = 0
  let dots = 0
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return null
      address = address * 256 + part
      part = 0
      digits = 0
      continue
    }
    const digit = code - DIGIT_0
    if (digit < 0 || digit > 9 || (digits > 0 && part === 0)) return null
    part = part * 10 + digit
    if (part > 255) return null
    digits++
  }
  return dots === 3 && digits > 0 ? address * 256 + part : null
}

/** The IPv4 addresses from `first` to `last`, both included. */
interface Range4 {
  readonly first: number
  readonly last: number
}

/** The addresses that share the first `bits` bits of `network`. */
const range4 = (network: number, bits: number): Range4 => {
  const size = 2 ** (32 - bits)
  const first = Math.floor(network / size) * size
  return { first, last: first + size - 1 }
}

const isWithin = (address: number, ranges: ReadonlyArray<Range4>): boolean => {
  for (const { first, last } of ranges) if (address >= first && address <= last) return true
  return false
}

const COLON = 58

/** The eight groups of a plain IPv6 address; null for any other string, and for `::/80`, which holds loopback and mapped IPv4. */
export const groups = (text: string): ReadonlyArray<number> | null => {
  if (text === lastGroupsText) return lastGroups
  lastGroups = parseGroups(text)
  lastGroupsText = text
  return lastGroups
}

const parseGroups = (text: string): ReadonlyArray<number> | null => {
  const length = text.length
  if (length < 3 || length > 39) return null
  const found: Array<number> = []
  let gap = -1
  let group = 0
  let digits = 0
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code !== COLON) {
      const digit = hexDigit(code)
      if (digit < 0 || ++digits > 4) return null
      group = group * 16 + digit
      continue
    }
    const isGap = text.charCodeAt(i + 1) === COLON
    if (digits > 0) found.push(group)
    else if (i > 0 || !isGap) return null
    if (isGap) {
      if (gap !== -1) return null
      gap = found.length
      i++
    } else if (i + 1 === length) return null
    group = 0
    digits = 0
  }
  if (digits > 0) found.push(group)
  if (gap === -1 ? found.length !== 8 : found.length > 7) return null
  if (gap !== -1) found.splice(gap, 0, ...new Array<number>(8 - found.length).fill(0))
  return found[0] === 0 && found[1] === 0 && found[2] === 0 && found[3] === 0 && found[4] === 0 ? null : found
}

/** RFC 5952: lower case, the first of the longest runs of two or more zero groups shortened. */
const textOf = (address: ReadonlyArray<number>): string => {
  let start = -1
  let longest = 1
  for (let i = 0; i < 8; i++) {
    let run = 0
    while (i + run < 8 && address[i + run] === 0) run++
    if (run > longest) {
      longest = run
      start = i
    }
    i += run
  }
  let text = ""
  for (let i = 0; i < 8; i++) {
    if (i === start) {
      text += "::"
      i += longest - 1
    } else text += (i === 0 || i === start + longest ? "" : ":") + address[i]!.toString(16)
  }
  return text
}

/** Whether two IPv6 addresses share their first `bits` bits. */
export const sameNetwork6 = (a: ReadonlyArray<number>, b: ReadonlyArray<number>, bits: number): boolean => {
  const whole = bits >> 4
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false
  const rest = 16 - (bits & 15)
  return rest === 16 || a[whole]! >> rest === b[whole]! >> rest
}

const parse = (bracketed: string): Address | null => {
  const text = withoutBrackets(bracketed)
  // ipaddr.js also takes 10.1, 0x7f000001 and the like, which no proxy writes.
  if (!/^(?:\d+\.\d+\.\d+\.\d+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?)$/.test(text)) return null
  if (!ipaddr.isValid(text)) return null
  return ipaddr.process(text)
}

/** The address in `[2001:db8::1]`, the form in which Umami keeps an IPv6 address that came with a port. */
export const withoutBrackets = (text: string): string =>
  text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text

const MAPPED = "::ffff:"

/**
 * Umami's normal form of an address: canonical (IPv6 compressed, in lower case), `::ffff:a.b.c.d` as IPv4, without
 * a port but with brackets. A string that is not an address is returned unchanged.
 */
export const normalizeAddress = (text: string): string => {
  if (quad(text) !== null) return text
  const plain = groups(text)
  if (plain !== null) return textOf(plain)
  // How a dual-stack socket reports every IPv4 peer.
  if (text.startsWith(MAPPED) && quad(text.slice(MAPPED.length)) !== null) return text.slice(MAPPED.length)
  const bracketed = /^(\[[^\]]*\])(?::\d+)?$/.exec(text)
  if (bracketed !== null) return bracketed[1]!
  const whole = parse(text)
  if (whole !== null) return whole.toString()
  const withPort = /^([^:]*):\d+$/.exec(text)
  if (withPort !== null) {
    const inner = parse(withPort[1]!)
    return inner === null ? withPort[1]! : inner.toString()
  }
  return text
}

/** Whether a string is an address in normal form; proxies also write `unknown` or a name. */
export const isAddress = (text: string): boolean => quad(text) !== null || groups(text) !== null || parse(text) !== null

/** Whether the address is loopback, link-local or private, which no geo database contains, as in Umami 3.1. */
export const isLocalAddress = (ip: string): boolean => {
  const address4 = quad(ip)
  if (address4 !== null) return isWithin(address4, LOCAL_QUADS)
  const plain = groups(ip)
  if (plain !== null) return (plain[0]! & 0xffc0) === 0xfe80 || (plain[0]! & 0xfe00) === 0xfc00
  const address = parse(ip)
  return ip === "localhost" || (address !== null && LOCAL_RANGES.has(address.range()))
}

/** Whether a peer's address is this machine's own. */
export const isLoopback = (peer: string): boolean => {
  const ip = normalizeAddress(peer)
  const address4 = quad(ip)
  return address4 === null ? ip === "::1" : isWithin(address4, [range4(0x7f000000, 8)])
}

/** Who an address belongs to: itself, or its /64 network in IPv6, which is the least that a customer of a provider gets. */
export const networkOf = (address: string): string => {
  const ip = normalizeAddress(address)
  const address6 = groups(withoutBrackets(ip))
  return address6 === null ? ip : `${address6.slice(0, 4).join(":")}::/64`
}

const LOCAL_QUADS: ReadonlyArray<Range4> = [
  range4(0x7f000000, 8),
  range4(0x0a000000, 8),
  range4(0xac100000, 12),
  range4(0xc0a80000, 16),
  range4(0xa9fe0000, 16),
  range4(0, 32)
]

const LOCAL_RANGES: ReadonlySet<string> = new Set(["loopback", "linkLocal", "private", "uniqueLocal", "unspecified"])

/** Decides whether an address is in a list of addresses, CIDRs and named ranges. */
export type AddressMatcher = (ip: string) => boolean

const LOOPBACK = ["127.0.0.0/8", "::1/128"]
const LINK_LOCAL = ["169.254.0.0/16", "fe80::/10"]
const UNIQUE_LOCAL = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
/** RFC 6598: carriers' networks, which clouds and overlay networks use between their machines. */
const SHARED = "100.64.0.0/10"

const NAMED_RANGES: Readonly<Record<string, ReadonlyArray<string>>> = {
  loopback: LOOPBACK,
  linklocal: LINK_LOCAL,
  uniquelocal: UNIQUE_LOCAL,
  private: [...LOOPBACK, ...LINK_LOCAL, ...UNIQUE_LOCAL, SHARED]
}

/** A matcher for a list of addresses, CIDRs and, if `names` is set, named ranges. Fails with the first invalid entry. */
export const parseAddressRanges = (
  entries: ReadonlyArray<string>,
  options: { readonly names: boolean }
): Result.Result<AddressMatcher, string> => {
  const ranges: Array<[Address, number]> = []
  for (const entry of entries) {
    const named = options.names ? NAMED_RANGES[entry.toLowerCase()] : undefined
    for (const range of named ?? [entry]) {
      const parsed = rangeOf(range)
      if (parsed === null) return Result.fail(entry)
      ranges.push(parsed)
    }
  }
  return Result.succeed(matcherOf(ranges))
}

const matcherOf = (ranges: ReadonlyArray<[Address, number]>): AddressMatcher => {
  const quads: Array<Range4> = []
  const plains: Array<[ReadonlyArray<number>, number]> = []
  for (const [address, bits] of ranges) {
    const network = quad(address.toString())
    if (network !== null) quads.push(range4(network, bits))
    else if (address instanceof ipaddr.IPv6) plains.push([address.parts, bits])
  }
  if (ranges.length === 0) return () => false
  return (ip) => {
    const address4 = quad(ip)
    if (address4 !== null) return isWithin(address4, quads)
    const plain = groups(ip)
    if (plain !== null) return plains.some(([network, bits]) => sameNetwork6(plain, network, bits))
    const address = parse(ip)
    return (
      address !== null &&
      ranges.some(([network, bits]) => address.kind() === network.kind() && matches(address, network, bits))
    )
  }
}

const matches = (address: Address, network: Address, bits: number): boolean =>
  address instanceof ipaddr.IPv4
    ? network instanceof ipaddr.IPv4 && address.match(network, bits)
    : network instanceof ipaddr.IPv6 && address.match(network, bits)

const rangeOf = (text: string): [Address, number] | null => {
  const slash = text.indexOf("/")
  const address = parse(slash === -1 ? text : text.slice(0, slash))
  if (address === null) return null
  const size = address.kind() === "ipv4" ? 32 : 128
  if (slash === -1) return [address, size]
  const bits = text.slice(slash + 1)
  return /^\d{1,3}$/.test(bits) && Number(bits) <= size ? [address, Number(bits)] : null
}
