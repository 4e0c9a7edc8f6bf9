import { describe, expect, test } from "bun:test"
import { tableFromIPC } from "apache-arrow"
import fc from "fast-check"
import { readParquet, readSchema } from "parquet-wasm/esm/parquet_wasm.js"
import { mergeParquet, rowsOf, schemaKey } from "../../../../layers/iceberg/parquet/merge.ts"
import { type EncodedFile, encodeParquet } from "../../../../layers/lake/parquet/encode.ts"
import { Rows } from "../../../../layers/lake/parquet/rows.ts"
import type { Row } from "../../../../layers/lake/records.ts"
import { type LakeTable, PA_EVENTS, PA_SESSION_DATA, PA_SESSIONS } from "../../../../layers/lake/schema.ts"

/** A time to sort by, a nullable column of each kind, and a map. */
const TABLE: LakeTable = {
  ...PA_EVENTS,
  fields: [
    { id: 1, name: "event_time", required: true, type: "timestamptz" },
    { id: 2, name: "text", required: false, type: "string" },
    { id: 3, name: "number", required: false, type: "int" },
    { id: 4, name: "decimal", required: false, type: "decimal(19, 4)" },
    { id: 5, name: "at", required: false, type: "timestamptz" },
    {
      id: 6,
      name: "properties",
      required: false,
      type: { type: "map", "key-id": 7, key: "string", "value-id": 8, value: "string", "value-required": false }
    },
    { id: 9, name: "nothing", required: false, type: "string" }
  ],
  sortOrder: { "order-id": 1, fields: [{ ...PA_EVENTS.sortOrder.fields[0]!, "source-id": 1 }] },
  measured: ["event_time", "text", "number", "at", "nothing"]
}

const encode = (table: LakeTable, rows: ReadonlyArray<Row>): EncodedFile => {
  const held = new Rows(table, [0, "s"])
  for (const row of rows) held.push(row)
  return encodeParquet(held)
}

const arrowOf = (bytes: Uint8Array) => tableFromIPC(readParquet(bytes).intoIPCStream())

/** Unscaled: the number times 10,000. */
const decimalOf = (words: Uint32Array | null): bigint | null =>
  words === null
    ? null
    : BigInt.asIntN(
        128,
        words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n)
      )

/** The rows that arrow-rs reads, in the order of the table's columns; times in microseconds, decimals unscaled. */
const read = (bytes: Uint8Array): ReadonlyArray<ReadonlyArray<unknown>> => {
  const table = arrowOf(bytes)
  return Array.from({ length: table.numRows }, (_, row) =>
    TABLE.fields.map(({ name, type }) => {
      const column = table.getChild(name)!
      if (!column.isValid(row)) return null
      if (type === "timestamptz") return column.data[0]!.values[row] as bigint
      const value: unknown = column.get(row)
      if (typeof type === "object") return [...(value as Iterable<[string, string]>)].flat()
      return type.startsWith("decimal") ? decimalOf(value as Uint32Array) : value
    })
  )
}

const MAX_MS = 8_640_000_000_000_000
const unicode = fc.string({ unit: "binary", maxLength: 40 })
const nullable = <A>(values: fc.Arbitrary<A>) => fc.option(values, { nil: null })
/** Decimals like the pipeline's, with four places. */
const decimal = fc
  .bigInt({ min: -9_999_999_999_999n, max: 9_999_999_999_999n })
  .map((unscaled) => Number(unscaled) / 10_000)
const row = fc.record({
  time: fc.integer({ min: -MAX_MS, max: MAX_MS }),
  text: nullable(unicode),
  number: nullable(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  decimal: nullable(decimal),
  at: nullable(fc.integer({ min: -MAX_MS, max: MAX_MS })),
  properties: fc.array(fc.tuple(unicode, unicode), { maxLength: 4 })
})
type RandomRow = typeof row extends fc.Arbitrary<infer A> ? A : never

const valuesOf = (r: RandomRow): Row => [r.time, r.text, r.number, r.decimal, r.at, r.properties.flat()]
const expectedOf = (r: RandomRow): ReadonlyArray<unknown> => [
  BigInt(r.time) * 1_000n,
  r.text,
  r.number,
  r.decimal === null ? null : BigInt(Math.round(r.decimal * 10_000)),
  r.at === null ? null : BigInt(r.at) * 1_000n,
  r.properties.length === 0 ? null : r.properties.flat(),
  null
]

describe("encoding", () => {
  test("a Parquet file holds any rows unchanged, in the order of time", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), (rows) => {
        const { bytes } = encode(TABLE, rows.map(valuesOf))
        expect(read(bytes)).toEqual(rows.toSorted((a, b) => a.time - b.time).map(expectedOf))
      }),
      { numRuns: 150 }
    )
  })

  test("a Parquet file's bounds enclose all values by code points, and its counts are right", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), (rows) => {
        const { file } = encode(TABLE, rows.map(valuesOf))
        const texts = rows.flatMap(({ text }) => (text === null ? [] : [Buffer.from(text)]))
        const [lower, upper] = [file.lowerBounds?.get(2), file.upperBounds?.get(2)]
        for (const text of texts) {
          expect(Buffer.compare(lower!, text)).toBeLessThanOrEqual(0)
          if (upper !== undefined) expect(Buffer.compare(upper, text)).toBeGreaterThanOrEqual(0)
        }
        expect(lower === undefined).toBe(texts.length === 0)
        for (const bound of [lower, upper])
          if (bound !== undefined) expect([...bound.toString()].length).toBeLessThanOrEqual(16)
        const times = rows.map(({ time }) => BigInt(time) * 1_000n)
        const bigint = (bound: Uint8Array) => Buffer.from(bound).readBigInt64LE()
        const sorted = BigInt64Array.from(times).sort()
        expect(bigint(file.lowerBounds!.get(1)!)).toBe(sorted[0]!)
        expect(bigint(file.upperBounds!.get(1)!)).toBe(sorted.at(-1)!)
        expect(file.valueCounts?.get(2)).toBe(rows.length)
        expect(file.nullCounts?.get(2)).toBe(rows.length - texts.length)
      }),
      { numRuns: 150 }
    )
  })

  test.each<[string, string, string, string | undefined]>([
    ["short strings are not truncated", "abc", "abc", "abc"],
    ["long strings are truncated, the upper bound rounded up", "a".repeat(20), "a".repeat(16), `${"a".repeat(15)}b`],
    [
      "truncation never splits a character",
      "\u{1f600}".repeat(20),
      "\u{1f600}".repeat(16),
      `${"\u{1f600}".repeat(15)}\u{1f601}`
    ],
    [
      "a last code point without a successor is dropped",
      `${"a".repeat(15)}\u{10ffff}x`,
      `${"a".repeat(15)}\u{10ffff}`,
      `${"a".repeat(14)}b`
    ],
    ["surrogates are skipped", `${"a".repeat(15)}\ud7ffx`, `${"a".repeat(15)}\ud7ff`, `${"a".repeat(15)}\ue000`],
    ["an upper bound may not exist", "\u{10ffff}".repeat(20), "\u{10ffff}".repeat(16), undefined]
  ])("bounds of string columns: %s", (_, text, lower, upper) => {
    const { file } = encode(TABLE, [[0, text]])
    expect(file.lowerBounds?.get(2)).toEqual(Buffer.from(lower))
    expect(file.upperBounds?.get(2)).toEqual(upper === undefined ? undefined : Buffer.from(upper))
  })

  test.each<[number, bigint]>([
    [0, 0n],
    [0.0001, 1n],
    [-0.0001, -1n],
    [49.9, 499_000n],
    [123_456_789.1234, 1_234_567_891_234n],
    [999_999_999_999_999, 9_999_999_999_999_990_000n],
    [-999_999_999_999_999, -9_999_999_999_999_990_000n],
    [0.00005, 1n]
  ])("a decimal of %p is stored as %p ten-thousandths", (value, unscaled) => {
    const [only] = read(encode(TABLE, [[0, null, null, value]]).bytes)
    expect(only?.[3]).toBe(unscaled)
  })

  test("timestamps keep microseconds and may be in year 0 or 9999", () => {
    const received = 1_790_000_000_000.123
    const first = Date.parse("0000-01-01T00:00:00.000Z")
    const last = Date.parse("9999-12-31T23:59:59.999Z")
    const rows = read(
      encode(
        TABLE,
        [received, first, last].map((at): Row => [0, null, null, null, at])
      ).bytes
    )
    expect(rows.map((row) => row[4])).toEqual([1_790_000_000_000_123n, BigInt(first) * 1_000n, BigInt(last) * 1_000n])
  })

  test.each([PA_EVENTS, PA_SESSIONS, PA_SESSION_DATA])(
    "a Parquet file of $name has the table's field ids, names and nullability",
    (table) => {
      const rows = new Rows(table, [])
      rows.push(table.fields.map(({ required, type }) => (required ? (type === "string" ? "" : 0) : null)))
      const { schema } = tableFromIPC(readSchema(encodeParquet(rows).bytes).intoIPCStream())
      expect(
        schema.fields.map((field) => ({
          id: Number(field.metadata.get("PARQUET:field_id")),
          name: field.name,
          required: !field.nullable
        }))
      ).toEqual(table.fields.map(({ id, name, required }) => ({ id, name, required })))
      const map = schema.fields.find(({ name }) => name === "properties")?.type.children[0]?.type.children
      if (map !== undefined) {
        expect(map.map((child: (typeof schema.fields)[0]) => child.metadata.get("PARQUET:field_id"))).toEqual([
          "36",
          "37"
        ])
      }
    }
  )
})

describe("merging", () => {
  const iterate = async function* (files: ReadonlyArray<Uint8Array>) {
    yield* files
  }

  test("merging concatenates the rows of files without changing any", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(row, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 }),
        async (all) => {
          const files = all.map((rows) => encode(TABLE, rows.map(valuesOf)).bytes)
          const merged = Buffer.concat(await Array.fromAsync(mergeParquet(iterate(files), all.flat().length, "test")))
          expect(read(merged)).toEqual(files.flatMap(read))
          expect(schemaKey(merged)).toBe(schemaKey(files[0]!))
        }
      ),
      { numRuns: 40 }
    )
  })

  test("a file's columns are read from its footer only", () => {
    const { bytes } = encode(
      TABLE,
      Array.from({ length: 5_000 }, (_, index): Row => [index, `text ${index}`])
    )
    expect(schemaKey(bytes.subarray(bytes.length - 4_000))).toBe(schemaKey(bytes))
    const fewer = encode({ ...TABLE, fields: TABLE.fields.slice(0, 6) }, [[0]])
    expect(schemaKey(fewer.bytes)).not.toBe(schemaKey(bytes))
  })

  test("merging fails for a file that is damaged or lacks rows, without yielding a complete file", async () => {
    const { bytes } = encode(TABLE, [[0, "a"]])
    const damaged = bytes.slice()
    damaged.fill(0xff, bytes.length - 200)
    for (const [files, rows] of [
      [[bytes, damaged], 2],
      [[bytes, bytes], 3]
    ] as const) {
      const chunks: Array<Uint8Array> = []
      const merging = async () => {
        for await (const chunk of mergeParquet(iterate(files), rows, "test")) chunks.push(chunk)
      }
      await expect(merging()).rejects.toBeDefined()
      expect(chunks).toEqual([])
    }
  })

  test("a file's number of rows is read from its footer only", async () => {
    const { bytes } = encode(
      TABLE,
      Array.from({ length: 50_000 }, (_, index): Row => [index, `text ${index}`])
    )
    expect(await rowsOf(bytes.subarray(bytes.length - 20_000), bytes.length)).toBe(50_000)
  })
})
