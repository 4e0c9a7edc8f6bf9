import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { deflateRawSync } from "node:zlib"
import avro from "avsc"
import { avroSchema, readAvro, writeAvro } from "../../../../layers/iceberg/avro/container.ts"

const RECORD = {
  type: "record",
  name: "r",
  fields: [
    { name: "id", type: "long", "field-id": 7 },
    { name: "text", type: ["null", "string"], default: null, "field-id": 8 }
  ]
}

/** The records that avsc's own reader finds in a file. */
const readByAvsc = (bytes: Uint8Array): Promise<ReadonlyArray<unknown>> =>
  new Promise((resolve, reject) => {
    const records: Array<unknown> = []
    const decoder = new avro.streams.BlockDecoder()
    decoder.on("data", (record: unknown) => records.push(record))
    decoder.on("end", () => resolve(records))
    decoder.on("error", reject)
    decoder.end(Buffer.from(bytes))
  })

type Done = (error: null, block: Buffer) => void

/** A file written by avsc's own writer. */
const writeByAvsc = (schema: object, codec: string, records: ReadonlyArray<unknown>): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    const encoder = new avro.streams.BlockEncoder(schema as avro.Schema, {
      codec,
      codecs: {
        null: (block: Buffer, done: Done) => done(null, block),
        deflate: (block: Buffer, done: Done) => done(null, deflateRawSync(block)),
        zstandard: (block: Buffer, done: Done) => done(null, Buffer.from(Bun.zstdCompressSync(block))),
        snappy: (block: Buffer, done: Done) => done(null, block)
      } as never
    })
    encoder.on("data", (chunk: Buffer) => chunks.push(chunk))
    encoder.on("end", () => resolve(Buffer.concat(chunks)))
    encoder.on("error", reject)
    for (const record of records) encoder.write(record)
    encoder.end()
  })

describe("an Avro file", () => {
  test("an Avro file contains the schema with its field ids, the codec and the writer's entries", () => {
    const { header } = readAvro(writeAvro(avroSchema(RECORD), { "format-version": "2" }, []))
    expect(JSON.parse(header.get("avro.schema") ?? "")).toEqual(RECORD)
    expect(header.get("avro.codec")).toBe("deflate")
    expect(header.get("format-version")).toBe("2")
  })

  test("an Avro file keeps 63-bit ids exact, which a double would round", () => {
    const ids = [0, -1, 2 ** 53 - 1, 9_007_199_254_740_993n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n]
    const { records } = readAvro(
      writeAvro(
        avroSchema(RECORD),
        {},
        ids.map((id) => ({ id, text: null }))
      )
    )
    expect(records.map((record) => (record as { id: unknown }).id)).toEqual(ids)
  })

  test("an Avro file of many blocks is read the same by avsc", async () => {
    const records = Array.from({ length: 5_000 }, (_, id) => ({
      id,
      text: id % 3 === 0 ? null : `text ${id} \u{1f600}`
    }))
    const bytes = writeAvro(avroSchema(RECORD), {}, records)
    expect(readAvro(bytes).records.length).toBe(5_000)
    expect(await readByAvsc(bytes)).toEqual(readAvro(bytes).records as Array<unknown>)
  })

  test.each(["null", "deflate", "zstandard"])("an Avro file that avsc compressed with %s is read", async (codec) => {
    const records = [
      { id: 1, text: "a" },
      { id: 2, text: null }
    ]
    const { records: read } = readAvro(await writeByAvsc(RECORD, codec, records))
    expect(read.map((record) => ({ ...(record as object) }))).toEqual(records)
  })

  test("an Avro file with another compression codec is refused with its name", async () => {
    const bytes = await writeByAvsc(RECORD, "snappy", [{ id: 1, text: null }])
    expect(() => readAvro(bytes)).toThrow(
      "its compression codec snappy is not supported (only null, deflate, zstandard)"
    )
  })

  test("an Avro file that is truncated anywhere, or is not one, is refused", () => {
    const bytes = writeAvro(avroSchema(RECORD), {}, [{ id: 1, text: "a" }])
    const { records } = readAvro(bytes)
    expect(records.length).toBe(1)
    const readable: Array<number> = []
    for (let length = 0; length < bytes.length; length++) {
      try {
        // Truncated before its first block, it is a valid file without records.
        if (readAvro(bytes.subarray(0, length)).records.length === 0) readable.push(length)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }
    expect(readable.length).toBe(1)
    expect(() => readAvro(readFileSync(import.meta.path))).toThrow("it is not an Avro file")
  })
})
