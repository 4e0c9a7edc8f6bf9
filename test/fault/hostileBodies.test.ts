import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { Layer, Redacted } from "effect"
import { Storage } from "../../src/ports/Storage.ts"
import { type CollectUnderTest, FIREFOX, SITE, startCollect } from "../support/collect/collect.ts"
import { connect, type Database } from "../support/postgres/database.ts"
import { openStorage } from "../support/postgres/pgStorage.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"

/*
 * Runs in this process, so that a polluted prototype would be visible, and on a real database, in order to look up every event that got a
 * 200.
 */
let collect: CollectUnderTest
let database: Database
beforeAll(async () => {
  const url = await freshDatabase()
  database = await connect(Redacted.value(url))
  collect = await startCollect({ storage: Layer.effect(Storage, openStorage(url)) })
}, 180_000)
afterAll(async () => {
  await collect?.stop()
  await database?.[Symbol.asyncDispose]()
})

type Body = string | Uint8Array<ArrayBuffer>
/** A body whose event, if it is one, can be found by the marker in its name or tag. */
type Case = readonly [what: string, body: (marker: string) => Body]

const bytes = (body: Body): Uint8Array<ArrayBuffer> => (typeof body === "string" ? Buffer.from(body) : body)

/** The same body with a length, in chunks of unknown number, and compressed: the three ways in which bodies are read. */
const FRAMINGS: ReadonlyArray<(body: Body) => RequestInit> = [
  (body) => ({ body }),
  (body) => ({ body: new Blob([bytes(body)]).stream() }),
  (body) => ({ body: Bun.gzipSync(bytes(body)), headers: { "content-encoding": "gzip" } })
]

const post = async (path: string, { headers, ...init }: RequestInit) => {
  const response = await fetch(collect.url + path, {
    method: "POST",
    headers: { "user-agent": FIREFOX, ...(headers as Record<string, string>) },
    ...init
  })
  // Every response is JSON.
  return { status: response.status, body: (await response.json()) as object }
}

const storedAs = async (marker: string): Promise<number> => {
  const [row] = await database.query<{ readonly count: number }>(
    "SELECT count(*)::int AS count FROM product_analytics_event WHERE event_name = $1 OR tag = $1",
    [marker]
  )
  return row!.count
}

let marks = 0
/** Sends a body in every framing; returns the responses and the number of its events in the database. */
const tryOut = async (bodyOf: (marker: string) => Body) => {
  const marker = `case-${marks++}`
  const body = bodyOf(marker)
  const statuses: Array<number> = []
  for (const framing of FRAMINGS) statuses.push((await post("/api/send", framing(body))).status)
  return { statuses, stored: await storedAs(marker) }
}
const STORED = { statuses: [200, 200, 200], stored: 3 }
const refused = (status: number) => ({ statuses: [status, status, status], stored: 0 })

/** An event with additional members in its payload. */
const json = (payload: object) => (marker: string) =>
  JSON.stringify({ type: "event", payload: { website: SITE, url: "/", name: marker, ...payload } })

/** The same with raw JSON: for duplicate keys, and for numbers and depths that JSON.stringify cannot produce. */
const raw =
  (inPayload: string, beside = "") =>
  (marker: string) =>
    `{"type":"event","payload":{"website":"${SITE}","url":"/","name":"${marker}"${inPayload}}${beside}}`

const TEXT_FIELDS = [
  ...[
    "hostname",
    "language",
    "screen",
    "title",
    "url",
    "referrer",
    "name",
    "tag",
    "id",
    "ip",
    "userAgent",
    "browser",
    "os"
  ],
  "device"
]
/** What a field's value must begin with in order to be stored. */
const START: Readonly<Record<string, string>> = { userAgent: FIREFOX }
/** An event with a string in one field; the marker is in a different one. */
const inField = (field: string, text: string) => (marker: string) => {
  const payload = { website: SITE, url: "/", [field === "name" ? "tag" : "name"]: marker, [field]: text }
  return JSON.stringify({ type: "event", payload })
}

const arrays = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`
const POLLUTING = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}'

afterEach(async () => {
  expect(await tryOut(json({}))).toEqual(STORED)
  expect(Object.keys(Object.prototype)).toEqual([])
  expect("polluted" in {}).toBe(false)
})

const allAnswer = (outcome: string, expected: typeof STORED, cases: ReadonlyArray<Case>) => {
  test.each(cases.map(([what, body]) => ({ what, body })))(`a body with $what ${outcome}`, async ({ body }) => {
    expect(await tryOut(body)).toEqual(expected)
  })
}

describe("hostile bodies that are stored, without what cannot be kept:", () => {
  allAnswer("is stored without what cannot be kept", STORED, [
    ...["hostname", "language", "screen", "name", "tag"].map(
      (field): Case => [`${field} of 1 MB`, inField(field, "x".repeat(1_000_000))]
    ),
    ["a title with 10,000 levels", raw(`,"title":${arrays(10_000)}`)],
    ["a measurement beyond all numbers", raw(',"lcp":1e400')],
    ...TEXT_FIELDS.map((field): Case => [`NUL in ${field}`, inField(field, `${START[field] ?? "/"}a\u0000b`)]),
    ...TEXT_FIELDS.map(
      (field): Case => [`half a surrogate pair in ${field}`, inField(field, `${START[field] ?? "/"}a\ud800b\udc00c`)]
    ),
    ...["title", "url", "referrer", "id", "ip", "browser", "os", "device"].map(
      (field): Case => [`${field} of 1 MB`, inField(field, `/${"x".repeat(1_000_000)}`)]
    ),
    ["NULs in data", json({ data: { "a\u0000b": "c\u0000d", list: ["\u0000"], inner: { "\u0000": 1 } } })],
    ["half surrogate pairs in data", raw(',"data":{"a\\ud800b":"c\\udfffd","list":["\\ud800"]}')],
    ["a key and a value of half a MB in data", json({ data: { long: "x".repeat(500_000), ["k".repeat(500_000)]: 1 } })],
    ["an array of 100,000 in data", json({ data: { list: Array(100_000).fill(0) } })],
    ["50,000 keys in data", json({ data: Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, i])) })],
    [
      "numbers at the ends of their range",
      raw(',"data":{"a":1e308,"b":-1e308,"c":1e-400,"d":-0,"e":9007199254740993}')
    ],
    ["numbers past it", raw(',"data":{"a":1e400,"b":-1e400,"revenue":1e400,"currency":"EUR"}')],
    ["a number of 1 MB", raw(`,"data":{"a":${"9".repeat(1_000_000)}}`)],
    ["a timestamp that rounds to zero", raw(',"timestamp":1e-400')],
    ["an unknown key with 10,000 levels in the payload", raw(`,"unknown":${arrays(10_000)}`)],
    ["an unknown key with 10,000 levels next to it", raw("", `,"unknown":${objects(10_000)}`)],
    ["__proto__ and constructor in data", raw(`,"data":${POLLUTING}`)],
    ["__proto__ and constructor in the payload", raw(`,${POLLUTING.slice(1, -1)}`)],
    ["__proto__ and constructor next to it", raw("", `,${POLLUTING.slice(1, -1)}`)],
    ["keys that every object has", raw(',"data":{"toString":1,"hasOwnProperty":"x","valueOf":{"a":1}},"toString":1')],
    [
      "keys that occur twice: the last counts",
      (marker) =>
        `{"type":"identify","type":"event","payload":{"website":"x","website":"${SITE}","name":"no","name":"${marker}"}}`
    ],
    [
      "bytes that are not UTF-8",
      (marker) => {
        const [before, after] = json({ title: "|" })(marker).split("|")
        const wrong = Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80])
        return Buffer.concat([Buffer.from(before!), wrong, Buffer.from(after!)])
      }
    ],
    ["a byte order mark", (marker) => `\ufeff${json({})(marker)}`]
  ])
})

describe("hostile bodies that are rejected with 400:", () => {
  allAnswer("is rejected with 400", refused(400), [
    ["data with 10,000 levels of objects", raw(`,"data":${objects(10_000)}`)],
    ["data with 10,000 levels of arrays", raw(`,"data":{"a":${arrays(10_000)}}`)],
    ["a body with 10,000 levels", () => arrays(10_000)],
    ["a body with 500,000 levels", () => arrays(500_000)],
    ["half a million levels without an end", () => "[".repeat(500_000)],
    ["a payload that is an array of 100,000", () => JSON.stringify({ type: "event", payload: Array(100_000).fill(0) })],
    ["data that is an array of 100,000", json({ data: Array(100_000).fill(0) })],
    ["a body that is an array of 100,000", () => JSON.stringify(Array(100_000).fill(0))],
    [
      "a website that only a prototype has",
      (marker) => `{"type":"event","payload":{"__proto__":{"website":"${SITE}"},"name":"${marker}"}}`
    ],
    [
      "a payload that only a prototype has",
      (marker) => `{"type":"event","__proto__":{"payload":{"website":"${SITE}","name":"${marker}"}}}`
    ],
    [
      "a website with a NUL behind it",
      (marker) => JSON.stringify({ type: "event", payload: { website: `${SITE}\u0000`, name: marker } })
    ],
    [
      "a type with a NUL behind it",
      (marker) => JSON.stringify({ type: "event\u0000", payload: { website: SITE, name: marker } })
    ],
    ...["1e308", "-1e308", "1e400", '"NaN"', '"Infinity"', "9007199254740993", "[]", "{}", '"1.5"'].map(
      (text): Case => [`a timestamp of ${text}`, raw(`,"timestamp":${text}`)]
    ),
    ["NaN, which is not JSON", raw(',"data":{"a":NaN}')],
    ["UTF-16", (marker) => Buffer.from(json({})(marker), "utf16le")],
    ["a NUL between tokens", (marker) => json({})(marker).replace(",", ",\u0000")],
    ["a line end inside a text", raw(',"title":"a\nb"')],
    ["something behind the end", (marker) => `${json({})(marker)}x`],
    ["two bodies in one", (marker) => json({})(marker) + json({})(marker)],
    ["a body that is cut", (marker) => json({})(marker).slice(0, -1)],
    ["no JSON at all", () => Uint8Array.from({ length: 1_000 }, (_, i) => (i * 89) % 256)],
    ...["", " \n\t", "null", "true", "1", '"x"', "{}", "[]"].map(
      (body): Case => [`the body ${JSON.stringify(body)}`, () => body]
    )
  ])
})

describe("hostile bodies that are rejected with 413:", () => {
  allAnswer("is rejected with 413", refused(413), [
    ["a title of 2 MB", inField("title", "x".repeat(2_000_000))],
    ["a body of 2 MB that is not JSON", () => Buffer.alloc(2_000_000)]
  ])
})

test("a user agent of 1 MB counts as a bot, like any other that no browser sends", async () => {
  const [framing] = FRAMINGS
  expect(await post("/api/send", framing!(inField("userAgent", "x".repeat(1_000_000))("agent")))).toEqual({
    status: 200,
    body: { beep: "boop" }
  })
  expect(await storedAs("agent")).toBe(0)
})

describe("a batch", () => {
  test("a batch with hostile items stores the others and reports which items were not stored", async () => {
    const good = (marker: string) => JSON.parse(json({})(marker)) as object
    const items = [
      JSON.stringify(good("batch-0")),
      raw(`,"data":${objects(10_000)}`)("batch-1"),
      raw(`,"data":${POLLUTING}`)("batch-2"),
      inField("name", "x".repeat(1_000_000))("batch-3"),
      inField("title", "\u0000\ud800")("batch-4"),
      '{"__proto__":{"type":"event"}}',
      JSON.stringify(good("batch-6"))
    ]
    for (const framing of FRAMINGS) {
      const { status, body } = await post("/api/batch", framing(`[${items.join(",")}]`))
      expect(status).toBe(200)
      expect(body).toMatchObject({
        size: 7,
        processed: 5,
        errors: 2,
        details: [{ index: 1 }, { index: 5 }]
      })
    }
    const counts = await Promise.all([0, 1, 2, 3, 4, 6].map((i) => storedAs(`batch-${i}`)))
    expect(counts).toEqual([3, 0, 3, 3, 3, 3])
  })

  test.each([
    ["of 100,000 items", 413, () => `[${Array(100_000).fill("{}").join(",")}]`],
    ["of 100,000 numbers", 400, () => `[${Array(100_000).fill("0").join(",")}]`],
    ["10,000 levels deep", 400, () => arrays(10_000)],
    ["past 10 MB", 413, () => `[${"0".repeat(11_000_000)}]`]
  ] as const)("%s is refused with %d", async (_, status, body) => {
    for (const framing of FRAMINGS) expect((await post("/api/batch", framing(body()))).status).toBe(status)
  })
})
