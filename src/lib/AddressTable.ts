import { groups, quad, sameNetwork6 } from "./ipAddress.ts"

interface Range4<A> {
  readonly start: number
  end: number
  readonly value: A
}

/** Finds the value whose CIDRs contain an address. IPv4 takes a binary search; the few IPv6 networks are compared one by one. */
export class AddressTable<A> {
  readonly #ranges4: ReadonlyArray<Range4<A>>
  readonly #ranges6: ReadonlyArray<readonly [network: ReadonlyArray<number>, bits: number, value: A]>

  /** CIDRs in canonical form. Those of different values must not overlap. Throws on anything else. */
  constructor(entries: Iterable<readonly [cidr: string, value: A]>) {
    const ranges4: Array<Range4<A>> = []
    const ranges6: Array<readonly [ReadonlyArray<number>, number, A]> = []
    for (const [cidr, value] of entries) {
      const [network = "", bits = ""] = cidr.split("/")
      const start = quad(network)
      const plain = groups(network)
      if (start !== null) ranges4.push({ start, end: start + 2 ** (32 - Number(bits)) - 1, value })
      else if (plain !== null) ranges6.push([plain, Number(bits), value])
      else throw new Error(`${cidr} is not a CIDR.`)
    }
    this.#ranges4 = joined(ranges4)
    this.#ranges6 = ranges6
  }

  /** `ip` in normal form, as `normalizeAddress` returns it. */
  find(ip: string): A | null {
    const address4 = quad(ip)
    if (address4 !== null) return this.#find4(address4)
    const plain = groups(ip)
    if (plain === null) return null
    for (const [network, bits, value] of this.#ranges6) if (sameNetwork6(plain, network, bits)) return value
    return null
  }

  #find4(address: number): A | null {
    let low = 0
    let high = this.#ranges4.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const range = this.#ranges4[middle]!
      if (address < range.start) high = middle - 1
      else if (address > range.end) low = middle + 1
      else return range.value
    }
    return null
  }
}

/** The ranges in order, with those joined that overlap or touch. */
const joined = <A>(ranges: Array<Range4<A>>): ReadonlyArray<Range4<A>> => {
  const found: Array<Range4<A>> = []
  for (const range of ranges.sort((a, b) => a.start - b.start)) {
    const last = found.at(-1)
    if (last !== undefined && range.start <= last.end && range.value !== last.value) {
      throw new Error("Ranges of different values overlap.")
    }
    if (last !== undefined && range.start <= last.end + 1 && range.value === last.value) {
      last.end = Math.max(last.end, range.end)
    } else found.push({ ...range })
  }
  return found
}
