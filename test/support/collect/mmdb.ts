/** A value of the MaxMind DB format's data section; `u32` and the like choose the integer's type. */
export type MmdbValue =
  | string
  | boolean
  | number
  | { readonly u16: number }
  | { readonly u32: number }
  | { readonly u64: bigint }
  | ReadonlyArray<MmdbValue>
  | MmdbMap
export interface MmdbMap {
  readonly [key: string]: MmdbValue
}

export interface MmdbOptions {
  /** CIDR and record; later networks must not be inside earlier ones. */
  readonly networks: ReadonlyArray<readonly [cidr: string, record: MmdbValue]>
  readonly databaseType?: string
  readonly ipVersion?: 4 | 6
  readonly recordSize?: 24 | 28 | 32
  readonly buildEpoch?: number
  readonly formatVersion?: number
}

const TYPE = { pointer: 1, string: 2, double: 3, u16: 5, u32: 6, map: 7, u64: 9, array: 11, boolean: 14 } as const

const control = (type: number, size: number): Array<number> => {
  const tail =
    size < 29 ? [] : size < 285 ? [size - 29] : size < 65_821 ? [(size - 285) >> 8, (size - 285) & 255] : undefined
  if (tail === undefined) throw new Error("a test needs no value of this size")
  const field = size < 29 ? size : size < 285 ? 29 : 30
  return type > 7 ? [field, type - 7, ...tail] : [(type << 5) | field, ...tail]
}

const bigEndian = (value: bigint): Array<number> => {
  const bytes: Array<number> = []
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 255n))
  return bytes
}

const encode = (value: MmdbValue): Array<number> => {
  if (typeof value === "string") {
    const bytes = Buffer.from(value, "utf8")
    return [...control(TYPE.string, bytes.length), ...bytes]
  }
  if (typeof value === "boolean") return control(TYPE.boolean, value ? 1 : 0)
  if (typeof value === "number") {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(value)
    return [...control(TYPE.double, 8), ...bytes]
  }
  if (Array.isArray(value)) return [...control(TYPE.array, value.length), ...value.flatMap(encode)]
  const entries = Object.entries(value as MmdbMap)
  const [key, inner] = entries[0] ?? ["", ""]
  if (entries.length === 1 && (key === "u16" || key === "u32" || key === "u64")) {
    const bytes = bigEndian(BigInt(inner as number | bigint))
    return [...control(TYPE[key], bytes.length), ...bytes]
  }
  return [
    ...control(TYPE.map, entries.length),
    ...entries.flatMap(([name, each]) => [...encode(name), ...encode(each)])
  ]
}

/** The address's bits, most significant first; in an IPv6 tree, IPv4 networks are below ::/96. */
const bitsOf = (cidr: string, ipVersion: 4 | 6): Array<number> => {
  const [address = "", prefix = ""] = cidr.split("/")
  const bits = (value: bigint, width: number) =>
    Array.from({ length: width }, (_, i) => Number((value >> BigInt(width - 1 - i)) & 1n))
  if (!address.includes(":")) {
    const value = address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
    const low = bits(value, 32).slice(0, Number(prefix))
    return ipVersion === 4 ? low : [...new Array<number>(96).fill(0), ...low]
  }
  const [head = "", tail] = address.split("::")
  const groups = (part: string) => (part === "" ? [] : part.split(":"))
  const right = groups(tail ?? "")
  const left = groups(head)
  const all = [...left, ...new Array<string>(8 - left.length - right.length).fill("0"), ...right]
  return bits(
    all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n),
    128
  ).slice(0, Number(prefix))
}

type Leaf = { readonly at: number }
type Node = [Node | Leaf | null, Node | Leaf | null]
const isNode = (child: Node | Leaf | null): child is Node => Array.isArray(child)

/** A MaxMind DB file (format 2.0): search tree, 16 zero bytes, records, metadata. */
export const mmdb = (options: MmdbOptions): Buffer => {
  const { ipVersion = 6, recordSize = 28 } = options
  const records: Array<number> = []
  const offsets = new Map<MmdbValue, number>()
  const root: Node = [null, null]
  for (const [cidr, record] of options.networks) {
    let at = offsets.get(record)
    if (at === undefined) {
      at = records.length
      offsets.set(record, at)
      for (const byte of encode(record)) records.push(byte)
    }
    const bits = bitsOf(cidr, ipVersion)
    let node = root
    bits.forEach((bit, depth) => {
      const child = node[bit] ?? null
      const below: Node = isNode(child) ? child : [child, child]
      node[bit] = depth === bits.length - 1 ? { at } : below
      node = below
    })
  }
  const nodes: Array<Node> = []
  const numbers = new Map<Node, number>()
  const number = (node: Node) => {
    numbers.set(node, nodes.length)
    nodes.push(node)
    for (const child of node) if (isNode(child) && !numbers.has(child)) number(child)
  }
  number(root)
  const value = (child: Node | Leaf | null): number =>
    child === null ? nodes.length : isNode(child) ? numbers.get(child)! : nodes.length + 16 + child.at
  const tree = Buffer.alloc((nodes.length * recordSize) / 4)
  nodes.forEach(([left, right], i) => {
    const at = (i * recordSize) / 4
    const [l, r] = [value(left), value(right)]
    if (recordSize === 24) {
      tree.writeUIntBE(l, at, 3)
      tree.writeUIntBE(r, at + 3, 3)
    } else if (recordSize === 28) {
      tree.writeUIntBE(l & 0xffffff, at, 3)
      tree[at + 3] = ((l >>> 24) << 4) | (r >>> 24)
      tree.writeUIntBE(r & 0xffffff, at + 4, 3)
    } else {
      tree.writeUInt32BE(l, at)
      tree.writeUInt32BE(r, at + 4)
    }
  })
  const metadata: MmdbMap = {
    binary_format_major_version: { u16: options.formatVersion ?? 2 },
    binary_format_minor_version: { u16: 0 },
    build_epoch: { u64: BigInt(options.buildEpoch ?? 1_790_000_000) },
    database_type: options.databaseType ?? "GeoLite2-City",
    description: { en: "A database for tests" },
    ip_version: { u16: ipVersion },
    languages: ["en"],
    node_count: { u32: nodes.length },
    record_size: { u16: recordSize }
  }
  return Buffer.concat([
    tree,
    Buffer.alloc(16),
    Buffer.from(records),
    Buffer.from("\xab\xcd\xefMaxMind.com", "latin1"),
    Buffer.from(encode(metadata))
  ])
}

/** The record of the contract's test vector: GB, GB-ENG, a London suburb. */
export const LONDON: MmdbMap = {
  city: { geoname_id: { u32: 2643743 }, names: { de: "Boxford (DE)", en: "Boxford", ja: "ボックスフォード" } },
  continent: { code: "EU", names: { en: "Europe" } },
  country: { geoname_id: { u32: 2635167 }, iso_code: "GB", names: { en: "United Kingdom" } },
  location: { accuracy_radius: { u16: 100 }, latitude: 51.75, longitude: -1.25, time_zone: "Europe/London" },
  registered_country: { is_in_european_union: true, iso_code: "FR" },
  subdivisions: [{ iso_code: "ENG", names: { en: "England" } }, { iso_code: "WBK" }]
}

/** A small City database: the contract's test vector, an IPv6 network, a network with only a registered country, and an empty record. */
export const cityDatabase = (options: Partial<MmdbOptions> = {}): Buffer =>
  mmdb({
    networks: [
      ["81.2.69.142/31", LONDON],
      [
        "2a02:d600::/29",
        { country: { iso_code: "DE" }, subdivisions: [{ iso_code: "BE" }], city: { names: { de: "Berlin" } } }
      ],
      ["89.160.20.112/28", { registered_country: { iso_code: "SE" }, city: { names: { en: "Linköping" } } }],
      ["216.160.83.56/29", { traits: { is_anycast: true } }]
    ],
    ...options
  })
