import { type Data, Decimal, Field, Int32, Map_, makeData, Struct, TimestampMicrosecond, Utf8 } from "apache-arrow"
import type { Bound } from "../../iceberg/manifest/DataFile.ts"
import { encodeValue } from "../../iceberg/manifest/singleValue.ts"
import type { IcebergType, StructField } from "../../iceberg/metadata/TableMetadata.ts"
import { DECIMAL } from "../schema.ts"

/** Capacity of a new column, which doubles when it is full. Small, because there may be a thousand partitions with one row each. */
const FIRST_ROWS = 16
const FIRST_STRING_BYTES = 128
/** A UTF-16 unit is at most this many bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3
/** Bounds of strings are truncated to this many code points, as `write.metadata.metrics` asks of other engines. */
const BOUND_CODE_POINTS = 16

/** One bit per row: whether it has a value. */
class Validity {
  nulls = 0
  #bits = new Uint8Array(FIRST_ROWS >> 3)

  set(row: number): void {
    const byte = row >> 3
    if (byte >= this.#bits.length) this.#bits = grown(this.#bits, byte + 1)
    this.#bits[byte]! |= 1 << (row & 7)
  }

  clear(row: number): void {
    const byte = row >> 3
    if (byte >= this.#bits.length) this.#bits = grown(this.#bits, byte + 1)
    this.#bits[byte]! &= ~(1 << (row & 7))
    this.nulls++
  }

  has(row: number): boolean {
    return (this.#bits[row >> 3]! & (1 << (row & 7))) !== 0
  }

  /** Without a bitmap, Arrow assumes that every row has a value. */
  bitmap(rows: number): Uint8Array | null {
    return this.nulls === 0 ? null : this.#bits.subarray(0, (rows + 7) >> 3)
  }
}

const grown = <A extends Uint8Array | Int32Array | Uint32Array>(array: A, minLength: number): A => {
  const larger = new (array.constructor as new (length: number) => A)(Math.max(array.length * 2, minLength))
  larger.set(array)
  return larger
}

/** A column under construction: values go straight into Arrow's buffers. */
export interface Column<A> {
  readonly push: (value: A | null) => void
  /** Size of the buffers. */
  readonly bytes: () => number
  readonly nulls: () => number
  /** The values in Arrow's format, in this order of rows if given. Valid until the next `push`. */
  readonly data: (order: Uint32Array | null) => Data
  /** The smallest and the largest value in Iceberg's binary format; null if there is none, or no upper bound of that length. */
  readonly lower: () => Bound | null
  readonly upper: () => Bound | null
}

/** UTF-8 strings, concatenated, and the offset of each. */
class Strings {
  rows = 0
  size = 0
  #offsets = new Int32Array(FIRST_ROWS + 1)
  #bytes = Buffer.allocUnsafeSlow(FIRST_STRING_BYTES)

  push(string: string): void {
    const maxSize = this.size + string.length * MAX_BYTES_PER_UNIT
    if (maxSize > this.#bytes.length) this.#grow(maxSize)
    this.size += this.#bytes.write(string, this.size)
    this.#end()
  }

  pushNull(): void {
    this.#end()
  }

  #end(): void {
    this.rows++
    if (this.rows >= this.#offsets.length) this.#offsets = grown(this.#offsets, this.rows + 1)
    this.#offsets[this.rows] = this.size
  }

  #grow(minLength: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, minLength))
    this.#bytes.copy(larger, 0, 0, this.size)
    this.#bytes = larger
  }

  at(row: number): Buffer {
    return this.#bytes.subarray(this.#offsets[row]!, this.#offsets[row + 1]!)
  }

  /** -1, 0 or 1, by code points. */
  compare(row: number, other: number): number {
    const offsets = this.#offsets
    return this.#bytes.compare(this.#bytes, offsets[other]!, offsets[other + 1]!, offsets[row]!, offsets[row + 1]!)
  }

  buffers(order: Uint32Array | null): { readonly valueOffsets: Int32Array; readonly data: Uint8Array } {
    if (order === null) {
      return { valueOffsets: this.#offsets.subarray(0, this.rows + 1), data: this.#bytes.subarray(0, this.size) }
    }
    const valueOffsets = new Int32Array(this.rows + 1)
    const data = Buffer.allocUnsafeSlow(this.size)
    let end = 0
    for (let row = 0; row < order.length; row++) {
      const from = order[row]!
      end += this.#bytes.copy(data, end, this.#offsets[from]!, this.#offsets[from + 1]!)
      valueOffsets[row + 1] = end
    }
    return { valueOffsets, data }
  }

  bytes(): number {
    return this.#bytes.length + this.#offsets.byteLength
  }
}

const orderedBits = (validity: Validity, rows: number, order: Uint32Array | null): Uint8Array | null => {
  if (order === null || validity.nulls === 0) return validity.bitmap(rows)
  const bits = new Uint8Array((rows + 7) >> 3)
  for (let row = 0; row < rows; row++) if (validity.has(order[row]!)) bits[row >> 3]! |= 1 << (row & 7)
  return bits
}

/** The first code points of a string, and whether that is all of it. */
const truncated = (string: Buffer): { readonly points: ReadonlyArray<number>; readonly whole: boolean } => {
  const points = Array.from(
    string.subarray(0, (BOUND_CODE_POINTS + 1) * 4).toString(),
    (point) => point.codePointAt(0)!
  )
  return { points: points.slice(0, BOUND_CODE_POINTS), whole: points.length <= BOUND_CODE_POINTS }
}

/** The next code point that UTF-8 can encode; null after the last one. */
const nextPoint = (point: number): number | null => {
  if (point === 0x10_ffff) return null
  return point === 0xd7ff ? 0xe000 : point + 1
}

const bytesOf = (points: ReadonlyArray<number>): Buffer => Buffer.from(String.fromCodePoint(...points))

/** A bound that is not less than any string with the same first code points; null if there is none. */
const upperBound = (string: Buffer): Buffer | null => {
  const { points, whole } = truncated(string)
  if (whole) return bytesOf(points)
  for (let last = points.length - 1; last >= 0; last--) {
    const next = nextPoint(points[last]!)
    if (next !== null) return bytesOf([...points.slice(0, last), next])
  }
  return null
}

class StringColumn implements Column<string> {
  readonly #strings = new Strings()
  readonly #validity = new Validity()
  readonly #type = new Utf8()

  push(value: string | null): void {
    const row = this.#strings.rows
    if (value === null) {
      this.#validity.clear(row)
      this.#strings.pushNull()
    } else {
      this.#validity.set(row)
      this.#strings.push(value)
    }
  }

  bytes = () => this.#strings.bytes()
  nulls = () => this.#validity.nulls

  data(order: Uint32Array | null): Data {
    return makeData({
      type: this.#type,
      length: this.#strings.rows,
      nullCount: this.#validity.nulls,
      nullBitmap: orderedBits(this.#validity, this.#strings.rows, order),
      ...this.#strings.buffers(order)
    })
  }

  /** The smallest (-1) or largest (1) string; null if there is none. */
  #extreme(sign: -1 | 1): Buffer | null {
    let best: number | null = null
    for (let row = 0; row < this.#strings.rows; row++) {
      if (!this.#validity.has(row)) continue
      if (best === null || this.#strings.compare(row, best) * sign > 0) best = row
    }
    return best === null ? null : this.#strings.at(best)
  }

  lower(): Bound | null {
    const smallest = this.#extreme(-1)
    return smallest === null ? null : bytesOf(truncated(smallest).points)
  }

  upper(): Bound | null {
    const largest = this.#extreme(1)
    return largest === null ? null : upperBound(largest)
  }
}

/** Numbers of a fixed width, as 32-bit words, least significant first. */
abstract class WordColumn<A> {
  protected rows = 0
  protected words: Int32Array
  readonly #width: number
  readonly #icebergType: IcebergType
  readonly #validity = new Validity()

  constructor(width: number, icebergType: IcebergType) {
    this.#width = width
    this.#icebergType = icebergType
    this.words = new Int32Array(FIRST_ROWS * width)
  }

  push(value: A | null): void {
    const at = this.rows * this.#width
    if (at + this.#width > this.words.length) this.words = grown(this.words, at + this.#width)
    if (value === null) {
      this.words.fill(0, at, at + this.#width)
      this.#validity.clear(this.rows)
    } else {
      this.write(value, at)
      this.#validity.set(this.rows)
    }
    this.rows++
  }

  protected abstract write(value: A, at: number): void
  protected abstract read(at: number): bigint

  bytes = () => this.words.byteLength
  nulls = () => this.#validity.nulls

  protected ordered(order: Uint32Array | null) {
    const width = this.#width
    let words = this.words.subarray(0, this.rows * width)
    if (order !== null) {
      const from = words
      words = new Int32Array(from.length)
      for (let row = 0; row < order.length; row++) {
        const source = order[row]! * width
        for (let word = 0; word < width; word++) words[row * width + word] = from[source + word]!
      }
    }
    return {
      length: this.rows,
      nullCount: this.#validity.nulls,
      nullBitmap: orderedBits(this.#validity, this.rows, order),
      words
    }
  }

  #extreme(sign: -1 | 1): Bound | null {
    let best: bigint | null = null
    for (let row = 0; row < this.rows; row++) {
      if (!this.#validity.has(row)) continue
      const value = this.read(row * this.#width)
      if (best === null || (sign < 0 ? value < best : value > best)) best = value
    }
    return best === null ? null : encodeValue(this.#icebergType, best)
  }

  lower = () => this.#extreme(-1)
  upper = () => this.#extreme(1)
}

class IntColumn extends WordColumn<number> implements Column<number> {
  readonly #type = new Int32()
  constructor() {
    super(1, "int")
  }
  protected write(value: number, at: number): void {
    this.words[at] = value
  }
  protected read(at: number): bigint {
    return BigInt(this.words[at]!)
  }
  data(order: Uint32Array | null): Data {
    const { words, ...rest } = this.ordered(order)
    return makeData({ type: this.#type, ...rest, data: words })
  }
}

const WORD = 0x1_0000_0000

/** Ms since the epoch, with microseconds after the point; stored as microseconds. */
class TimestampColumn extends WordColumn<number> implements Column<number> {
  readonly #type = new TimestampMicrosecond("UTC")
  constructor() {
    super(2, "timestamptz")
  }
  protected write(ms: number, at: number): void {
    const whole = Math.floor(ms)
    const micros = whole * 1_000 + Math.round((ms - whole) * 1_000)
    if (Number.isSafeInteger(micros)) {
      const high = Math.floor(micros / WORD)
      this.words[at] = micros - high * WORD
      this.words[at + 1] = high
    } else {
      const exact = BigInt(whole) * 1_000n
      this.words[at] = Number(BigInt.asIntN(32, exact))
      this.words[at + 1] = Number(exact >> 32n)
    }
  }
  /** The time of a row, in microseconds. */
  micros(row: number): number {
    return this.words[row * 2 + 1]! * WORD + (this.words[row * 2]! >>> 0)
  }
  protected read(at: number): bigint {
    return (BigInt(this.words[at + 1]!) << 32n) | BigInt(this.words[at]! >>> 0)
  }
  data(order: Uint32Array | null): Data {
    const { words, ...rest } = this.ordered(order)
    return makeData({
      type: this.#type,
      ...rest,
      data: new BigInt64Array(words.buffer, words.byteOffset, words.length / 2)
    })
  }
  /** The order of rows by time; null if they already are in order. */
  order(): Uint32Array | null {
    let sorted = true
    for (let row = 1; row < this.rows && sorted; row++) sorted = this.micros(row - 1) <= this.micros(row)
    if (sorted) return null
    const rows = Uint32Array.from({ length: this.rows }, (_, row) => row)
    return rows.sort((a, b) => this.micros(a) - this.micros(b) || a - b)
  }
}

const FACTOR = 10 ** DECIMAL.scale

/** A number times 10^scale as an integer; the last digit is rounded half away from zero. */
const unscaled = (value: number): bigint => {
  const scaled = value * FACTOR
  if (Math.abs(scaled) <= Number.MAX_SAFE_INTEGER) return BigInt(Math.sign(scaled) * Math.round(Math.abs(scaled)))
  // So large that its shortest decimal form has no more digits than the scale, and no exponent within the precision.
  const [whole = "0", fraction = ""] = value.toString().split(".")
  return BigInt(whole + fraction.slice(0, DECIMAL.scale).padEnd(DECIMAL.scale, "0"))
}

class DecimalColumn extends WordColumn<number> implements Column<number> {
  readonly #type = new Decimal(DECIMAL.scale, DECIMAL.precision, 128)
  constructor() {
    super(4, `decimal(${DECIMAL.precision}, ${DECIMAL.scale})`)
  }
  protected write(value: number, at: number): void {
    const integer = unscaled(value)
    this.words[at] = Number(BigInt.asIntN(32, integer))
    this.words[at + 1] = Number(BigInt.asIntN(32, integer >> 32n))
    this.words[at + 2] = Number(BigInt.asIntN(32, integer >> 64n))
    this.words[at + 3] = integer < 0n ? -1 : 0
  }
  protected read(at: number): bigint {
    const low = (BigInt(this.words[at + 1]! >>> 0) << 32n) | BigInt(this.words[at]! >>> 0)
    return (BigInt(this.words[at + 2]!) << 64n) | low
  }
  data(order: Uint32Array | null): Data {
    const { words, ...rest } = this.ordered(order)
    return makeData({ type: this.#type, ...rest, data: new Uint32Array(words.buffer, words.byteOffset, words.length) })
  }
}

const idMetadata = (id: number): Map<string, string> => new Map([["PARQUET:field_id", String(id)]])

/** Alternating keys and values: `["plan", "Team", "seats", "5"]`. A row without any is null. */
class MapColumn implements Column<ReadonlyArray<string>> {
  #rows = 0
  #offsets = new Int32Array(FIRST_ROWS + 1)
  readonly #keys = new Strings()
  readonly #values = new Strings()
  readonly #validity = new Validity()
  readonly #type: Map_<Utf8, Utf8>

  constructor(keyId: number, valueId: number) {
    const entry = new Struct<{ key: Utf8; value: Utf8 }>([
      new Field("key", new Utf8(), false, idMetadata(keyId)),
      new Field("value", new Utf8(), true, idMetadata(valueId))
    ])
    this.#type = new Map_(new Field("key_value", entry, false))
  }

  push(pairs: ReadonlyArray<string> | null): void {
    if (pairs === null || pairs.length === 0) this.#validity.clear(this.#rows)
    else {
      this.#validity.set(this.#rows)
      for (let index = 0; index < pairs.length; index += 2) {
        this.#keys.push(pairs[index]!)
        this.#values.push(pairs[index + 1]!)
      }
    }
    this.#rows++
    if (this.#rows >= this.#offsets.length) this.#offsets = grown(this.#offsets, this.#rows + 1)
    this.#offsets[this.#rows] = this.#keys.rows
  }

  bytes = () => this.#keys.bytes() + this.#values.bytes() + this.#offsets.byteLength
  nulls = () => this.#validity.nulls
  lower = () => null
  upper = () => null

  /** The order of pairs that an order of rows implies. */
  #orderedPairs(order: Uint32Array): { readonly offsets: Int32Array; readonly pairs: Uint32Array } {
    const offsets = new Int32Array(this.#rows + 1)
    const pairs = new Uint32Array(this.#keys.rows)
    let end = 0
    for (let row = 0; row < order.length; row++) {
      const from = order[row]!
      for (let pair = this.#offsets[from]!; pair < this.#offsets[from + 1]!; pair++) pairs[end++] = pair
      offsets[row + 1] = end
    }
    return { offsets, pairs }
  }

  data(order: Uint32Array | null): Data {
    const ordered = order === null ? null : this.#orderedPairs(order)
    const length = this.#keys.rows
    const stringData = (strings: Strings) =>
      makeData({ type: new Utf8(), length, nullCount: 0, ...strings.buffers(ordered?.pairs ?? null) })
    const entryType = this.#type.children[0]!.type
    return makeData({
      type: this.#type,
      length: this.#rows,
      nullCount: this.#validity.nulls,
      nullBitmap: orderedBits(this.#validity, this.#rows, order),
      valueOffsets: ordered?.offsets ?? this.#offsets.subarray(0, this.#rows + 1),
      child: makeData({
        type: entryType,
        length,
        nullCount: 0,
        children: [stringData(this.#keys), stringData(this.#values)]
      })
    })
  }
}

export type LakeColumn = StringColumn | IntColumn | TimestampColumn | DecimalColumn | MapColumn

/** An empty column for a field of one of the lake's tables. */
export const makeColumn = ({ name, type }: StructField): LakeColumn => {
  if (type === "string") return new StringColumn()
  if (type === "int") return new IntColumn()
  if (type === "timestamptz") return new TimestampColumn()
  if (typeof type === "object" && type.type === "map") return new MapColumn(type["key-id"], type["value-id"])
  if (typeof type === "string" && type.startsWith("decimal(")) return new DecimalColumn()
  throw new Error(`Column ${name} has a type that cannot be written: ${JSON.stringify(type)}.`)
}
