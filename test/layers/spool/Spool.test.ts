import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool } from "../../../layers/spool/Spool.ts"
import { segmentStarts } from "../../../layers/spool/segmentNames.ts"
import { filesWith } from "../../support/disk/filesWith.ts"
import {
  appendAll,
  appendEach,
  type Content,
  contentOf,
  newFolder,
  openFailure,
  readFolder,
  reopened,
  SEGMENT,
  segmentFiles,
  spoolOptions,
  withSpool
} from "../../support/disk/spools.ts"
import { allowing, eventually } from "../../support/eventually.ts"
import type { ReadRequest } from "../../support/process/readingWorker.ts"

setDefaultTimeout(180_000)

const numbered = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${index} \u{1f600} ${"x".repeat(100)}`)

/** As many at a time as fit into a group of such a small segment. */
const appendInTurns = (
  spool: { readonly append: (record: string) => Effect.Effect<void, unknown> },
  records: ReadonlyArray<string>
) => Effect.forEach(records, spool.append, { concurrency: 30, discard: true })

test("records are read back unchanged and in order", async () => {
  const folder = newFolder()
  const records = ["one", "zwei – ü", "三", "x".repeat(5_000), '{"four":4}']
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool).toMatchObject({ cut: 0, oldest: 0 })
      yield* appendAll(spool, records)
      expect(contentOf(spool)).toEqual({ records, damages: [] })
      expect(spool.durable()).toBe(spool.accepted())
    })
  )
  expect(await reopened(folder)).toEqual({ records, damages: [], cut: 0 })
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

test("records in many segments are read back now and after the spool is opened again", async () => {
  const folder = newFolder()
  const records = numbered(5_000)
  const id = await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      yield* appendInTurns(spool, records)
      expect(segmentFiles(folder).length).toBeGreaterThan(5)
      expect(contentOf(spool)).toEqual({ records, damages: [] })
      return spool.id
    })
  )
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool.id).toBe(id)
      expect(spool.cut).toBe(0)
      yield* spool.append("one more")
      expect(contentOf(spool)).toEqual({ records: [...records, "one more"], damages: [] })
    })
  )
})

test("a spool can be read from the end of any record", async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) => appendEach(spool, numbered(50)))
  const ends = [...readRecords(folder, 0, 1e9, () => {})].map(({ position }) => position)
  for (const [index, end] of ends.entries()) {
    expect(readFolder(folder, end, ends.at(-1)!).records).toEqual(numbered(50).slice(index + 1))
  }
})

test("another thread reads a spool while records are appended and trimmed", async () => {
  const folder = newFolder()
  const worker = new Worker(new URL("../../support/process/readingWorker.ts", import.meta.url))
  const read = (request: ReadRequest): Promise<Content> =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Content>) => resolve(data)
      worker.onerror = ({ message }) => reject(new Error(message))
      worker.postMessage(request)
    })
  const found: Array<string> = []
  const appended: Array<string> = []
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      let position = 0
      const readAndTrim = Effect.gen(function* () {
        const to = spool.durable()
        const { damages, records } = yield* Effect.promise(() => read({ folder, from: position, to }))
        expect(damages).toEqual([])
        found.push(...records)
        position = to
        yield* spool.trim(to)
      })
      for (let burst = 0; burst < 60; burst++) {
        const records = Array.from(
          { length: 40 },
          (_, index) => `${burst}.${index} ${"y".repeat((burst * 31 + index * 7) % 300)}`
        )
        appended.push(...records)
        yield* Effect.all([appendAll(spool, records), readAndTrim], { concurrency: "unbounded" })
      }
      yield* readAndTrim
      expect(found).toEqual(appended)
      // About 6 of them were written.
      expect(segmentFiles(folder).length).toBeLessThanOrEqual(2)
      expect(spool.status().diskBytes).toBeLessThanOrEqual(3 * SEGMENT)
    })
  )
  worker.terminate()
})

test("trimming removes all segments but the active one, and nothing trimmed is read again", async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      yield* appendInTurns(spool, numbered(5_000))
      yield* spool.trim(spool.durable())
      expect(segmentFiles(folder).length).toBe(1)
    })
  )
  await withSpool(folder, (spool) =>
    Effect.sync(() => {
      expect(spool.oldest).toBe(spool.durable())
      expect(contentOf(spool)).toEqual({ records: [], damages: [] })
    })
  )
})

test("a trim is permanent, and positions continue after it even if no segment is left", async () => {
  const folder = newFolder()
  const records = ["record one", "record two", "record tri"]
  await withSpool(folder, (spool) => appendEach(spool, records))
  await withSpool(folder, (spool) => spool.trim(22))
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect([spool.oldest, spool.durable()]).toEqual([22, 66])
      expect(contentOf(spool).records).toEqual(records.slice(1))
      yield* spool.trim(66)
      // A lower position changes nothing.
      yield* spool.trim(44)
    })
  )
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect([spool.oldest, spool.durable(), spool.accepted()]).toEqual([66, 66, 66])
      yield* spool.append("record for")
      expect(spool.durable()).toBe(88)
    })
  )
  expect(segmentStarts(segmentFiles(folder))).toEqual([66])
})

test("a full spool refuses records as overloaded until it is trimmed", async () => {
  const folder = newFolder()
  await withSpool(
    folder,
    (spool) =>
      Effect.gen(function* () {
        let refused: unknown = null
        while (refused === null) {
          refused = yield* Effect.match(spool.append("z".repeat(1_000)), {
            onSuccess: () => null,
            onFailure: (error) => error
          })
        }
        expect(refused).toMatchObject({
          reason: "Overloaded",
          message: "The spool is full (SPOOL_MAX_BYTES = 196608): flushes are not keeping up."
        })
        expect(spool.status()).toMatchObject({ ready: false, diskBytes: 3 * SEGMENT })
        expect(segmentFiles(folder).length).toBe(3)
        yield* spool.trim(spool.durable())
        expect(spool.status().ready).toBe(true)
        yield* spool.append("room again")
      }),
    { maxBytes: 3 * SEGMENT }
  )
})

test("a full spool is not ready until it is trimmed and never takes more than its limit", async () => {
  const folder = newFolder()
  await withSpool(
    folder,
    (spool) =>
      Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(numbered(2_000), (record) =>
          Effect.match(spool.append(record), { onSuccess: () => "ok", onFailure: ({ reason }) => reason })
        )
        expect(new Set<string>(outcomes)).toEqual(new Set(["ok", "Overloaded"]))
        expect(spool.status().ready).toBe(false)
        expect(segmentFiles(folder).length).toBeLessThanOrEqual(3)
        expect(yield* Effect.flip(spool.append("x".repeat(3_000)))).toMatchObject({
          reason: "Overloaded",
          message: "The spool is full (SPOOL_MAX_BYTES = 196608): flushes are not keeping up."
        })
        yield* spool.trim(spool.durable())
        yield* spool.append("after")
        expect(spool.status().ready).toBe(true)
      }),
    { maxBytes: 3 * SEGMENT }
  )
})

test("a record is refused if it is empty or too long, and accepted up to the limit", async () => {
  // A quarter of a segment, without the head of a frame.
  const maxBytes = 16_372
  await withSpool(newFolder(), (spool) =>
    Effect.gen(function* () {
      const tooLong = { reason: "Refused", message: "The record can't be stored: it is longer than 16372 bytes." }
      expect(yield* Effect.flip(spool.append("x".repeat(maxBytes + 1)))).toMatchObject(tooLong)
      expect(yield* Effect.flip(spool.append("ü".repeat(maxBytes / 2 + 1)))).toMatchObject(tooLong)
      expect(yield* Effect.flip(spool.append(""))).toMatchObject({
        reason: "Refused",
        message: "The record can't be stored: it is empty."
      })
      const records = ["x".repeat(maxBytes), "ü".repeat(maxBytes / 2), "x"]
      yield* appendEach(spool, records)
      expect(contentOf(spool)).toEqual({ records, damages: [] })
    })
  )
})

test("records past the limit of waiting ones are refused as overloaded", async () => {
  await withSpool(
    newFolder(),
    (spool) =>
      Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(
          numbered(5),
          (record) => Effect.match(spool.append(record), { onSuccess: () => "ok", onFailure: ({ reason }) => reason }),
          { concurrency: "unbounded" }
        )
        expect(outcomes).toEqual(["ok", "ok", "ok", "Overloaded", "Overloaded"])
      }),
    { maxPending: 3 }
  )
})

test("closing a spool writes what was accepted, and later records are refused", async () => {
  const folder = newFolder()
  const records = Array.from({ length: 50 }, (_, index) => `record ${index}`)
  const scope = await Effect.runPromise(Scope.make())
  const spool = await Effect.runPromise(Scope.provide(openSpool(spoolOptions(folder)), scope))
  const answers = Promise.all(records.map((record) => Effect.runPromise(Effect.exit(spool.append(record)))))
  const closing = Effect.runPromise(Scope.close(scope, Exit.void))
  expect((await answers).every(Exit.isSuccess)).toBe(true)
  await closing
  const late = await Effect.runPromise(Effect.flip(spool.append("late")))
  expect(late).toMatchObject({ reason: "Unavailable", message: "The collector is stopping." })
  expect(await reopened(folder)).toEqual({ records, damages: [], cut: 0 })
  expect(existsSync(join(folder, "next.tmp"))).toBe(false)
})

test("a second owner of a spool is refused until the first one closes it", async () => {
  const folder = newFolder()
  await withSpool(folder, () =>
    Effect.promise(async () => {
      expect(await openFailure(folder)).toEqual({
        reason: "Locked",
        message: `Another process uses the spool in ${folder}.`
      })
    })
  )
  expect(await openFailure(folder)).toBeNull()
})

test("an owner that appends nothing prepares a segment only if configured to", async () => {
  const folder = newFolder()
  await withSpool(folder, () => Effect.void)
  let created = 0
  const files = filesWith(() => {
    created++
    return {}
  })
  const open = (ahead: boolean) =>
    withSpool(folder, () => (ahead ? eventually("a segment is prepared", () => created > 0) : Effect.void), {
      ahead,
      files
    })
  await open(false)
  expect(created).toBe(0)
  await open(true)
  await withSpool(folder, (spool) => spool.append("one"), { ahead: false })
  expect(await reopened(folder)).toEqual({ records: ["one"], damages: [], cut: 0 })
})

test("owners that come and go without a trim do not use a segment each", async () => {
  const folder = newFolder()
  const records: Array<string> = []
  const remember = (record: string) => {
    records.push(record)
    return record
  }
  for (let owner = 0; owner < 20; owner++) {
    await withSpool(folder, (spool) => spool.append(remember(`of ${owner}`)))
  }
  expect(segmentFiles(folder)).toEqual(["0000000000000000.log"])
  // More than a quarter of a segment stays where it is, and the spool continues in a second one.
  for (let owner = 0; owner < 4; owner++) {
    await withSpool(folder, (spool) => appendEach(spool, [remember("x".repeat(15_000)), remember(`after ${owner}`)]))
  }
  expect(segmentFiles(folder).length).toBeLessThanOrEqual(3)
  expect(await reopened(folder)).toEqual({ records, damages: [], cut: 0 })
})

test("a segment that is prepared slowly delays neither records nor closing", async () => {
  const folder = newFolder()
  let zeros = 0
  const began = performance.now()
  await withSpool(folder, (spool) => spool.append("one"), {
    segmentBytes: 64 << 20,
    maxBytes: 1 << 30,
    files: filesWith((file, name) => ({
      write: (bytes, offset) => {
        if (name === "next.tmp" && bytes.length > 1_000) zeros += bytes.length
        return file.write(bytes, offset)
      }
    }))
  })
  // All of the first segment, and the part of the second one that was prepared meanwhile.
  expect(zeros).toBeGreaterThanOrEqual(64 << 20)
  expect(zeros).toBeLessThan(80 << 20)
  expect(performance.now() - began).toBeLessThan(allowing(10_000))
  expect(readdirSync(folder).sort()).toEqual(["0000000000000000.log", "lock", "spool-id"])
})

test("missing parent folders are created", async () => {
  const folder = join(newFolder(), "some", "where")
  await withSpool(folder, (spool) => spool.append("one"))
  expect(await reopened(folder)).toEqual({ records: ["one"], damages: [], cut: 0 })
  rmSync(folder, { recursive: true })
})
