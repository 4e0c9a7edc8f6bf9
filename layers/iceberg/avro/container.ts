import { deflateRawSync, inflateRawSync } from "node:zlib"
import avro from "avsc"

/*
 * Avro's object container files. The values are avsc's work; the frame is ours, because Iceberg's header holds the schema with
 * ids that avsc would leave out, and because a file here is made and read in one piece.
 */

const MAGIC = Buffer.from("Obj\u0001", "latin1")
const SYNC_BYTES = 16
/** A block is decoded in one piece by every reader; Java's writer uses this size, in bytes before compression. */
const BLOCK_BYTES = 64_000

/** Longs are numbers where a double holds them and bigints where not, so that 63-bit ids come through whole. */
const longType = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => {
    const high = buffer.readInt32LE(4)
    // 2^21 in the upper half is 2^53 in all.
    return high >= -0x200000 && high < 0x200000
      ? high * 0x1_0000_0000 + buffer.readUInt32LE(0)
      : buffer.readBigInt64LE()
  },
  toBuffer: (value: number | bigint) => {
    const buffer = Buffer.allocUnsafe(8)
    buffer.writeBigInt64LE(BigInt(value))
    return buffer
  },
  fromJSON: (value: number | bigint) => value,
  toJSON: (value: number | bigint) => Number(value),
  isValid: (value: unknown) => typeof value === "bigint" || Number.isSafeInteger(value),
  compare: (a: number | bigint, b: number | bigint) => (a === b ? 0 : a < b ? -1 : 1)
})

const typeOf = (schema: avro.Schema): avro.Type =>
  avro.Type.forSchema(schema, { registry: { long: longType }, wrapUnions: "never" })

/** Bytes in the form that avsc takes them in. */
export const avroBytes = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const headerType = avro.Type.forSchema({ type: "map", values: "bytes" })

/** Tables have few schemas, but each foreign file may bring one of its own. */
const KEPT_TYPES = 64
const types = new Map<string, avro.Type>()
const typeOfText = (text: string): avro.Type => {
  const known = types.get(text)
  if (known !== undefined) return known
  const type = typeOf(JSON.parse(text) as avro.Schema)
  if (types.size >= KEPT_TYPES) types.clear()
  types.set(text, type)
  return type
}

const CODECS: Readonly<Record<string, (block: Uint8Array) => Uint8Array>> = {
  null: (block) => block,
  deflate: (block) => inflateRawSync(block),
  zstandard: (block) => Bun.zstdDecompressSync(block)
}

/** Zigzag varint, as Avro's longs are. */
const writeLong = (value: number): Buffer => {
  const bytes: Array<number> = []
  let rest = value * 2
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

const readLong = (bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } => {
  let value = 0
  let factor = 1
  for (let index = at; index < bytes.length; index++) {
    const byte = bytes[index]!
    value += (byte & 0x7f) * factor
    if (byte < 0x80) {
      if (value % 2 !== 0) throw new Error("a negative size")
      return { value: value / 2, end: index + 1 }
    }
    factor *= 0x80
  }
  throw new Error("it ends early")
}

export interface AvroFile {
  /** `avro.schema`, `avro.codec` and the writer's own entries. */
  readonly header: ReadonlyMap<string, string>
  readonly records: ReadonlyArray<unknown>
}

/** Reads a whole file, written with no compression, deflate or zstandard. Throws an `Error` that says what is wrong with it. */
export const readAvro = (bytes: Uint8Array): AvroFile => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!buffer.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error("it is no Avro file")
  const { offset: headerEnd, value: entries } = headerType.decode(buffer, MAGIC.length)
  if (headerEnd < 0) throw new Error("its header ends early")
  const header = new Map(
    Object.entries(entries as Record<string, Buffer>).map(([key, value]) => [key, value.toString()])
  )
  const codec = header.get("avro.codec") ?? "null"
  const decompress = CODECS[codec]
  if (decompress === undefined)
    throw new Error(`its compression ${codec} is not one of ${Object.keys(CODECS).join(", ")}`)
  const type = typeOfText(header.get("avro.schema") ?? "null")
  const sync = buffer.subarray(headerEnd, headerEnd + SYNC_BYTES)
  if (sync.length < SYNC_BYTES) throw new Error("its header ends early")
  const records: Array<unknown> = []
  let at = headerEnd + SYNC_BYTES
  while (at < buffer.length) {
    const count = readLong(buffer, at)
    const size = readLong(buffer, count.end)
    const end = size.end + size.value
    if (!buffer.subarray(end, end + SYNC_BYTES).equals(sync)) throw new Error("a block of it is damaged")
    const block = Buffer.from(decompress(buffer.subarray(size.end, end)))
    let offset = 0
    for (let index = 0; index < count.value; index++) {
      const decoded = type.decode(block, offset)
      if (decoded.offset < 0) throw new Error("a block of it ends early")
      records.push(decoded.value)
      offset = decoded.offset
    }
    at = end + SYNC_BYTES
  }
  return { header, records }
}

/** A schema with the text that the header holds, whose types are made once. */
export interface AvroSchema {
  readonly text: string
}

export const avroSchema = (schema: object): AvroSchema => ({ text: JSON.stringify(schema) })

/** A whole file of these records, compressed with deflate as Iceberg's Java library does it. */
export const writeAvro = (
  schema: AvroSchema,
  header: Readonly<Record<string, string>>,
  records: Iterable<unknown>
): Uint8Array => {
  const type = typeOfText(schema.text)
  const sync = crypto.getRandomValues(Buffer.alloc(SYNC_BYTES))
  const entries = { "avro.schema": schema.text, "avro.codec": "deflate", ...header }
  const parts: Array<Uint8Array> = [
    MAGIC,
    headerType.toBuffer(Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, Buffer.from(value)]))),
    sync
  ]
  let block: Array<Buffer> = []
  let size = 0
  const end = () => {
    if (block.length === 0) return
    const compressed = deflateRawSync(Buffer.concat(block))
    parts.push(writeLong(block.length), writeLong(compressed.length), compressed, sync)
    block = []
    size = 0
  }
  for (const record of records) {
    const bytes = type.toBuffer(record)
    block.push(bytes)
    size += bytes.length
    if (size >= BLOCK_BYTES) end()
  }
  end()
  return Buffer.concat(parts)
}
