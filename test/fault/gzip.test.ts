import { afterAll, beforeAll, expect, test } from "bun:test"
import { gzipSync } from "node:zlib"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { connect, type Database, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { peakMemory } from "../support/process/processes.ts"

/** Memory of the collector, whatever it is sent: its usual memory and the bodies that it may hold at a time. */
const MEMORY_MIB = 400
const MIB = 1 << 20

let collector: Footfall
let database: Database
beforeAll(async () => {
  const url = Redacted.value(await freshDatabase())
  database = await connect(url)
  collector = await Footfall.start({ environment: await prepareInstance(url) })
}, 180_000)
afterAll(async () => {
  await collector?.kill()
  await database?.[Symbol.asyncDispose]()
})

const post = async (body: Uint8Array<ArrayBuffer>, path = "/api/send", encoding = "gzip"): Promise<number> => {
  const response = await fetch(collector.url + path, {
    method: "POST",
    headers: { "user-agent": FIREFOX, "content-encoding": encoding },
    body
  })
  await response.json()
  return response.status
}

const event = (name: string) => JSON.stringify({ type: "event", payload: { website: SITE, url: "/", name } })
const gzip = (body: string | Uint8Array, options: object = {}) => Buffer.from(gzipSync(body, options))

const stored = async (): Promise<ReadonlyArray<string>> => {
  const rows = await database.query<{ readonly name: string }>(
    "SELECT event_name AS name FROM product_analytics_event ORDER BY name"
  )
  return rows.map(({ name }) => name)
}

/** A valid event, padded with whitespace to a decompressed size. */
const bomb = (name: string, size: number) => gzip(event(name) + " ".repeat(size), { level: 9 })

test("bodies that decompress to hundreds of megabytes get 413, and memory stays bounded", async () => {
  const hundred = bomb("hundred", 100 * MIB)
  expect(hundred.length).toBeLessThan(110_000)
  // In many members, as the format allows: one of a gigabyte, and one with small members.
  const thousand = Buffer.concat(Array<Buffer>(10).fill(hundred))
  const members = Buffer.concat([gzip(event("members")), ...Array<Buffer>(200).fill(gzip(" ".repeat(MIB)))])

  const statuses = await Promise.all(
    Array.from({ length: 4 }, () => [
      post(hundred),
      post(members),
      post(hundred, "/api/batch"),
      post(thousand, "/api/batch")
    ]).flat()
  )
  expect(new Set(statuses)).toEqual(new Set([413]))
  expect(peakMemory(collector.pid)).toBeLessThan(MEMORY_MIB)
  expect(await collector.health()).toBe(200)
}, 180_000)

// Decompressed at the same time, they would take 10 MB each and more: gigabytes for two megabytes sent.
test("memory does not grow with the number of small bodies that decompress to their limit at the same time", async () => {
  const small = gzip(`[${" ".repeat(10_400_000)}]`, { level: 9 })
  expect(small.length).toBeLessThan(10_500)
  const statuses = await Promise.all(Array.from({ length: 256 }, () => post(small, "/api/batch")))
  expect(statuses.filter((status) => ![200, 408, 503].includes(status))).toEqual([])
  expect(peakMemory(collector.pid)).toBeLessThan(2 * MEMORY_MIB)
}, 180_000)

test("malformed gzip is rejected with 400, and valid gzip is stored", async () => {
  const good = gzip(event("good"))
  const wrong: ReadonlyArray<readonly [string, Buffer, string?]> = [
    ["cut in the middle", good.subarray(0, good.length / 2)],
    ["cut before its checksum", good.subarray(0, -8)],
    ["only its header", good.subarray(0, 10)],
    ["half its header", good.subarray(0, 5)],
    ["nothing", Buffer.alloc(0)],
    ["garbage", Buffer.from("not gzip at all")],
    ["garbage behind a header", Buffer.concat([good.subarray(0, 10), Buffer.alloc(1_000, 0xa5)])],
    ["a wrong checksum", Buffer.concat([good.subarray(0, -8), Buffer.alloc(8, 1)])],
    ["a member that is garbage", Buffer.concat([good, gzip("x")])],
    // FNAME without an end.
    [
      "a file name of a megabyte",
      Buffer.concat([Buffer.from([31, 139, 8, 8, 0, 0, 0, 0, 0, 3]), Buffer.alloc(MIB - 100, 65)])
    ],
    ["gzip in gzip", gzip(good)],
    ["gzip in gzip in gzip", gzip(gzip(good))],
    ["gzip in gzip, said so", gzip(good), "gzip, gzip"],
    ["zlib", Buffer.from(Bun.deflateSync(Buffer.from(event("zlib")))), "deflate"],
    ["another compression", good, "br"],
    ["gzip that is not said to be", good, "identity"]
  ]
  for (const [what, body, encoding] of wrong)
    expect([what, await post(Buffer.from(body), "/api/send", encoding)]).toEqual([what, 400])

  expect(await post(good)).toBe(200)
  expect(await post(gzip(event("another")), "/api/send", "x-gzip")).toBe(200)
  expect(await post(Buffer.concat([gzip(event("members").slice(0, 9)), gzip(event("members").slice(9))]))).toBe(200)
  expect(await stored()).toEqual(["another", "good", "members"])
}, 180_000)
