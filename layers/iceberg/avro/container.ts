import { deflateRawSync, inflateRawSync } from "node:zlib"
import avro from "avsc"
import { LruCache } from "../LruCache.ts"

/*
 * Avro object container files. avsc encodes the values. The container format is implemented here, because Iceberg's header
 * contains a schema with field ids, which avsc drops, and because files are written and read as a whole.
 */

const MAGIC = Buffer.from("Obj\u0001", "latin1")
const SYNC_BYTES = 16
/** Size of a block in bytes, before compression, as in Java's writer. Readers decode a block as a whole. */
const BLOCK_BYTES = 64_000

/** Longs become numbers if a double can represent them and bigints otherwise, so that 63-bit ids stay exact. */
const longType = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => {
    const high = buffer.readInt32LE(4)
    // 2^21 in the upper half corresponds to 2^53.
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

const avroType = (schema: avro.Schema): avro.Type =>
  avro.Type.forSchema(schema, { registry: { long: longType }, wrapUnions: "never" })

/** Bytes in the form that avsc accepts. */
export const avroBytes = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const headerType = avro.Type.forSchema({ type: "map", values: "bytes" })

/** Tables have few schemas, but each file of another engine may contain its own. */
const CACHED_TYPES = 64
/** Types by schema. Compiling one is expensive, and equal schemas have equal types. */
const types = new LruCache<avro.Type>(CACHED_TYPES)

const typeOf = (schemaJson: string): avro.Type => {
  const cached = types.get(schemaJson)
  if (cached !== null) return cached
  const type = avroType(JSON.parse(schemaJson) as avro.Schema)
  types.set(schemaJson, type)
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
      if (value % 2 !== 0) throw new Error("it contains a negative size")
      return { value: value / 2, end: index + 1 }
    }
    factor *= 0x80
  }
  throw new Error("it is truncated")
}

export interface AvroFile {
  /** `avro.schema`, `avro.codec` and the writer's own entries. */
  readonly header: ReadonlyMap<string, string>
  readonly records: ReadonlyArray<unknown>
}

/** Reads a file without compression or with deflate or zstandard. Throws an `Error` whose message completes "cannot read …:". */
export const readAvro = (bytes: Uint8Array): AvroFile => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!buffer.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error("it is not an Avro file")
  const { offset: headerEnd, value: entries } = headerType.decode(buffer, MAGIC.length)
  if (headerEnd < 0) throw new Error("its header is truncated")
  const header = new Map(
    Object.entries(entries as Record<string, Buffer>).map(([key, value]) => [key, value.toString()])
  )
  const codec = header.get("avro.codec") ?? "null"
  const decompress = CODECS[codec]
  if (decompress === undefined)
    throw new Error(`its compression codec ${codec} is not supported (only ${Object.keys(CODECS).join(", ")})`)
  const type = typeOf(header.get("avro.schema") ?? "null")
  const sync = buffer.subarray(headerEnd, headerEnd + SYNC_BYTES)
  if (sync.length < SYNC_BYTES) throw new Error("its header is truncated")
  const records: Array<unknown> = []
  let at = headerEnd + SYNC_BYTES
  while (at < buffer.length) {
    const count = readLong(buffer, at)
    const size = readLong(buffer, count.end)
    const end = size.end + size.value
    if (!buffer.subarray(end, end + SYNC_BYTES).equals(sync)) throw new Error("one of its blocks is corrupt")
    const block = Buffer.from(decompress(buffer.subarray(size.end, end)))
    let offset = 0
    for (let index = 0; index < count.value; index++) {
      const decoded = type.decode(block, offset)
      if (decoded.offset < 0) throw new Error("one of its blocks is truncated")
      records.push(decoded.value)
      offset = decoded.offset
    }
    at = end + SYNC_BYTES
  }
  return { header, records }
}

/** A schema as the JSON that goes into the header. */
export interface AvroSchema {
  readonly json: string
}

export const avroSchema = (schema: object): AvroSchema => ({ json: JSON.stringify(schema) })

/** A file of these records, compressed with deflate as in Iceberg's Java library. */
export const writeAvro = (
  schema: AvroSchema,
  header: Readonly<Record<string, string>>,
  records: Iterable<unknown>
): Uint8Array => {
  const type = typeOf(schema.json)
  const sync = crypto.getRandomValues(Buffer.alloc(SYNC_BYTES))
  const entries = { "avro.schema": schema.json, "avro.codec": "deflate", ...header }
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
