import { beforeAll, expect, test } from "bun:test"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { claimSpool, listSpools } from "../../../layers/spool/claimSpool.ts"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool, type Spool, type SpoolOptions } from "../../../layers/spool/Spool.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { segmentStarts } from "../../../layers/spool/segmentNames.ts"
import { filesWith } from "../../support/disk/filesWith.ts"
import { SmallDisk } from "../../support/disk/SmallDisk.ts"
import { eventually, until } from "../../support/eventually.ts"
import { guardFolder } from "../../support/guard.ts"
import { Program } from "../../support/Program.ts"
import type { ReadAnswer, ReadRequest } from "../../support/process/readingWorker.ts"

let root: string
let folders = 0
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "footfall-test-"))
  guardFolder(root)
})
const newFolder = (): string => join(root, `log ${folders++}`)

const SEGMENT = 64 << 10
const optionsOf = (folder: string, changes: Partial<SpoolOptions> = {}): SpoolOptions => ({
  folder,
  maxPending: 10_000,
  maxBytes: 64 * SEGMENT,
  timeoutMs: 5_000,
  segmentBytes: SEGMENT,
  ...changes
})

/** Opens a log, uses it and closes it. */
const withSpool = <A, E>(folder: string, use: (spool: Spool) => Effect.Effect<A, E>, changes?: Partial<SpoolOptions>) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(openSpool(optionsOf(folder, changes)), use)))

const appendAll = (spool: Spool, texts: ReadonlyArray<string>) =>
  Effect.all(
    texts.map((text) => spool.append(text)),
    { concurrency: "unbounded", discard: true }
  )
/** Each in a group of its own. */
const appendEach = (spool: Spool, texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, spool.append, { discard: true })

interface Content {
  readonly texts: ReadonlyArray<string>
  readonly damages: ReadonlyArray<Damage>
}

const contentOf = (spool: Spool): Content => {
  const damages: Array<Damage> = []
  const records = readRecords(spool.folder, spool.oldest, spool.durable(), (damage) => damages.push(damage))
  const texts = Array.from(records, ({ payload }) => Buffer.from(payload).toString())
  return { texts, damages }
}

/** What a new owner finds, and how many bytes it cut. */
const reopened = (folder: string) =>
  withSpool(folder, (spool) => Effect.sync(() => ({ ...contentOf(spool), cut: spool.cut })))

const segmentsOf = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".log"))
    .sort()

/** Changes bytes of a file at a place. */
const changeFile = (path: string, change: (bytes: Buffer) => Buffer): void =>
  writeFileSync(path, change(readFileSync(path)))

const flipBit = (path: string, at: number, bit: number): void =>
  changeFile(path, (bytes) => {
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
    return bytes
  })

const failureOf = async (folder: string) => {
  const exit = await Effect.runPromise(Effect.scoped(Effect.result(openSpool(optionsOf(folder)))))
  return exit._tag === "Failure" ? { reason: exit.failure.reason, message: exit.failure.message } : null
}

test("records come back from a log as they were given, in order", async () => {
  const folder = newFolder()
  const texts = ["one", "zwei – ü", "三", "x".repeat(5_000), '{"four":4}']
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool).toMatchObject({ cut: 0, oldest: 0 })
      yield* appendAll(spool, texts)
      expect(contentOf(spool)).toEqual({ texts, damages: [] })
      expect(spool.durable()).toBe(spool.accepted())
    })
  )
  expect(await reopened(folder)).toEqual({ texts, damages: [], cut: 0 })
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

/** Ten processes start, one after the other. */
const KILLED_MS = 60_000
test(
  "a process that is killed while it appends loses nothing that it acknowledged, ten times in a row",
  async () => {
    const folder = newFolder()
    let first = 0
    for (let round = 0; round < 10; round++) {
      await using program = new Program([
        process.execPath,
        join(import.meta.dir, "../../support/process/appendingProcess.ts"),
        folder,
        String(first)
      ])
      const acknowledged = () => program.out.split("\n").slice(0, -1).map(Number)
      await until(
        () => `400 records are acknowledged: ${program.output.slice(-500)}`,
        () => acknowledged().length >= 400 + round * 37
      )
      program.signal("SIGKILL")
      await program.ended()
      const told = acknowledged()
      await withSpool(
        folder,
        (spool) =>
          Effect.gen(function* () {
            const { damages, texts } = contentOf(spool)
            expect(damages).toEqual([])
            const numbers = texts.map((text) => Number(text.split(" ")[0]))
            expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
            expect(new Set(numbers).size).toBe(numbers.length)
            expect(
              texts.filter((text, index) => text !== `${numbers[index]} ${"x".repeat(numbers[index]! % 900)}`)
            ).toEqual([])
            const there = new Set(numbers)
            expect(told.filter((number) => !there.has(number))).toEqual([])
            first = Math.max(...numbers, ...told) + 1
            yield* spool.trim(spool.durable())
          }),
        { segmentBytes: 256 << 10 }
      )
    }
  },
  KILLED_MS
)

const disk = SmallDisk.mount(6)
test.skipIf(disk === null)(
  "a full disk refuses records as unavailable, and takes them again once there is room",
  async () => {
    using small = disk!
    const folder = join(small.path, "log")
    await withSpool(
      folder,
      (spool) =>
        Effect.gen(function* () {
          const kept: Array<string> = []
          let refused: unknown = null
          for (let index = 0; refused === null; index++) {
            const text = `${index} ${"x".repeat(50_000)}`
            yield* Effect.match(spool.append(text), {
              onSuccess: () => kept.push(text),
              onFailure: (error) => {
                refused = error
              }
            })
          }
          expect(refused).toMatchObject({
            reason: "Unavailable",
            message: `The spool in ${folder} can't be written: the disk is full.`
          })
          expect(spool.status()).toMatchObject({
            ready: false,
            lastError: `The spool in ${folder} can't be written: the disk is full.`
          })
          expect(kept.length).toBeGreaterThan(10)
          small.fill()
          // Not even a small file can be written.
          const upTo = spool.durable()
          const trimmed = yield* Effect.result(spool.trim(upTo))
          expect(trimmed).toMatchObject({
            failure: { reason: "Io", message: `The spool in ${folder} can't be used: the disk is full.` }
          })
          expect(contentOf(spool)).toEqual({ texts: kept, damages: [] })
          small.free()
          yield* eventually("the log takes records again", () => spool.status().ready)
          // What was to be given up went without anybody asking again.
          yield* eventually("the old files are gone", () => segmentsOf(folder).length === 1)
          yield* spool.append("after")
          const after = [...readRecords(folder, upTo, spool.durable(), () => {})]
          expect(after.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["after"])
        }),
      { segmentBytes: 1 << 20, maxBytes: 1 << 30 }
    )
  }
)

test("a log has one owner: the next one is told", async () => {
  const folder = newFolder()
  await withSpool(folder, () =>
    Effect.promise(async () => {
      expect(await failureOf(folder)).toEqual({
        reason: "Locked",
        message: `Another process uses the spool in ${folder}.`
      })
    })
  )
  expect(await failureOf(folder)).toBeNull()
})

test("logs are claimed by number, and one that is left is claimed again with what it holds", async () => {
  const logs = newFolder()
  const { folder: _, ...options } = optionsOf("")
  const claim = async () => {
    const scope = await Effect.runPromise(Scope.make())
    return { spool: await Effect.runPromise(Scope.provide(claimSpool(logs, options), scope)), scope }
  }
  const close = ({ scope }: { readonly scope: Scope.Closeable }) => Effect.runPromise(Scope.close(scope, Exit.void))
  const [zero, one, two] = [await claim(), await claim(), await claim()]
  expect([zero, one, two].map(({ spool }) => spool.folder)).toEqual([join(logs, "0"), join(logs, "1"), join(logs, "2")])
  expect(new Set([zero, one, two].map(({ spool }) => spool.id)).size).toBe(3)
  await Effect.runPromise(one.spool.append("left"))
  await close(one)
  const again = await claim()
  expect(again.spool.folder).toBe(join(logs, "1"))
  expect(again.spool.id).toBe(one.spool.id)
  expect(contentOf(again.spool)).toEqual({ texts: ["left"], damages: [] })
  writeFileSync(join(logs, "notes"), "")
  mkdirSync(join(logs, "10"))
  expect(await Effect.runPromise(listSpools(logs))).toEqual(["0", "1", "2", "10"].map((name) => join(logs, name)))
  for (const claimed of [zero, two, again]) await close(claimed)
})

test("another thread reads while records are appended and given up", async () => {
  const folder = newFolder()
  const worker = new Worker(new URL("../../support/process/readingWorker.ts", import.meta.url))
  const ask = (request: ReadRequest): Promise<ReadAnswer> =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<ReadAnswer>) => resolve(data)
      worker.onerror = ({ message }) => reject(new Error(message))
      worker.postMessage(request)
    })
  const read: Array<string> = []
  const given: Array<string> = []
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      let position = 0
      const bring = Effect.gen(function* () {
        const to = spool.durable()
        const { damages, texts } = yield* Effect.promise(() => ask({ folder, from: position, to }))
        expect(damages).toEqual([])
        read.push(...texts)
        position = to
        yield* spool.trim(to)
      })
      for (let burst = 0; burst < 60; burst++) {
        const texts = Array.from(
          { length: 40 },
          (_, index) => `${burst}.${index} ${"y".repeat((burst * 31 + index * 7) % 300)}`
        )
        given.push(...texts)
        yield* Effect.all([appendAll(spool, texts), bring], { concurrency: "unbounded" })
      }
      yield* bring
      expect(read).toEqual(given)
      // Some 6 of them were written.
      expect(segmentsOf(folder).length).toBeLessThanOrEqual(2)
      expect(spool.status().diskBytes).toBeLessThanOrEqual(3 * SEGMENT)
    })
  )
  worker.terminate()
})

test("a log as large as it may be refuses records until some are given up", async () => {
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
        expect(segmentsOf(folder).length).toBe(3)
        yield* spool.trim(spool.durable())
        expect(spool.status().ready).toBe(true)
        yield* spool.append("room again")
      }),
    { maxBytes: 3 * SEGMENT }
  )
})

test("a record is refused when it is empty or too long, and taken up to the very limit", async () => {
  const folder = newFolder()
  // A quarter of a segment, less the head of a frame.
  const longest = 16_372
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      const tooLong = { reason: "Refused", message: "The record can't be stored: it is longer than 16372 bytes." }
      expect(yield* Effect.flip(spool.append("x".repeat(longest + 1)))).toMatchObject(tooLong)
      expect(yield* Effect.flip(spool.append("ü".repeat(longest / 2 + 1)))).toMatchObject(tooLong)
      expect(yield* Effect.flip(spool.append(""))).toMatchObject({
        reason: "Refused",
        message: "The record can't be stored: it is empty."
      })
      const texts = ["x".repeat(longest), "ü".repeat(longest / 2), "x"]
      yield* appendEach(spool, texts)
      expect(contentOf(spool)).toEqual({ texts, damages: [] })
    })
  )
})

test("closing a log writes what was accepted, and what comes later is refused", async () => {
  const folder = newFolder()
  const texts = Array.from({ length: 50 }, (_, index) => `record ${index}`)
  const scope = await Effect.runPromise(Scope.make())
  const spool = await Effect.runPromise(Scope.provide(openSpool(optionsOf(folder)), scope))
  const answers = Promise.all(texts.map((text) => Effect.runPromise(Effect.exit(spool.append(text)))))
  const closing = Effect.runPromise(Scope.close(scope, Exit.void))
  expect((await answers).every(Exit.isSuccess)).toBe(true)
  await closing
  const late = await Effect.runPromise(Effect.flip(spool.append("late")))
  expect(late).toMatchObject({ reason: "Unavailable", message: "The collector is stopping." })
  expect(await reopened(folder)).toEqual({ texts, damages: [], cut: 0 })
  expect(existsSync(join(folder, "next.tmp"))).toBe(false)
})

/** Folders whose files sync when they are let. */
const heldFiles = () => {
  let isHeld = false
  let release = () => {}
  let released = Promise.resolve()
  let passed = 0
  const files = filesWith((file) => ({
    sync: async () => {
      if (isHeld) await released
      await file.sync()
      passed++
    }
  }))
  return {
    files,
    /** Syncs that are over. */
    passed: () => passed,
    hold: () => {
      isHeld = true
      released = new Promise((resolve) => {
        release = resolve
      })
    },
    release: () => {
      isHeld = false
      release()
    }
  }
}

test("a disk that hangs keeps nobody waiting, neither for a record nor for the end, and goes on when it is back", async () => {
  const folder = newFolder()
  const held = heldFiles()
  const scope = await Effect.runPromise(Scope.make())
  const timeoutMs = 300
  const spool = await Effect.runPromise(
    Scope.provide(openSpool(optionsOf(folder, { timeoutMs, files: held.files })), scope)
  )
  await Effect.runPromise(spool.append("before"))
  held.hold()
  const late = { reason: "Unavailable", message: "The disk did not store the record within 0.3 s." }
  expect(await Effect.runPromise(Effect.flip(spool.append("during")))).toMatchObject(late)
  await until("the log is not ready", () => !spool.status().ready)
  expect(spool.status()).toMatchObject({ lastError: late.message, pendingRecords: 0, pendingBytes: 0, inFlight: 1 })
  // From now on, nobody waits.
  expect(await Effect.runPromise(Effect.flip(spool.append("refused")))).toMatchObject(late)
  held.release()
  await until("the log is ready", () => spool.status().ready)
  await Effect.runPromise(spool.append("after"))
  expect(contentOf(spool)).toEqual({ texts: ["before", "during", "after"], damages: [] })
  held.hold()
  const answers = Promise.all(["x", "y"].map((text) => Effect.runPromise(Effect.exit(spool.append(text)))))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  expect((await answers).every(Exit.isFailure)).toBe(true)
  // The next owner need not wait for it either.
  expect((await reopened(folder)).texts.slice(0, 3)).toEqual(["before", "during", "after"])
  held.release()
})

test("what a disk held up for one owner does not happen to the next one's files", async () => {
  const folder = newFolder()
  const held = heldFiles()
  const scope = await Effect.runPromise(Scope.make())
  const options = optionsOf(folder, { timeoutMs: 300, files: held.files })
  const first = await Effect.runPromise(Scope.provide(openSpool(options), scope))
  await until("the next file is ready", () => held.passed() > 0)
  held.hold()
  // The file is to get its name, and never does.
  const late = Effect.runPromise(Effect.exit(first.append("late")))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  expect(Exit.isFailure(await late)).toBe(true)
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      yield* spool.append("mine")
      yield* eventually("its next file waits", () => existsSync(join(folder, "next.tmp")))
      const before = held.passed()
      held.release()
      yield* eventually("the first owner's sync is over", () => held.passed() > before)
      yield* appendEach(
        spool,
        Array.from({ length: 6 }, () => "x".repeat(15_000))
      )
      expect(contentOf(spool).texts.map((text) => text.slice(0, 4))).toEqual(["mine", ...Array(6).fill("xxxx")])
      expect(contentOf(spool).damages).toEqual([])
    })
  )
})

test("a file that is prepared slowly holds up neither the end nor the records", async () => {
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
  // The first file whole, and of the second one what came about meanwhile.
  expect(zeros).toBeGreaterThanOrEqual(64 << 20)
  expect(zeros).toBeLessThan(80 << 20)
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(readdirSync(folder).sort()).toEqual(["0000000000000000.log", "lock", "spool-id"])
})

/** Three groups of a record of ten bytes each, at 0, 22 and 44. */
const THREE = ["record one", "record two", "record tri"]
const threeRecords = async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) => appendEach(spool, THREE))
  return { folder, path: join(folder, "0000000000000000.log") }
}

test("a record whose end is missing is cut, and the log goes on behind it", async () => {
  const { folder, path } = await threeRecords()
  changeFile(path, (bytes) => bytes.subarray(0, 58))
  expect(await reopened(folder)).toEqual({ texts: THREE.slice(0, 2), damages: [], cut: 14 })
  await withSpool(folder, (spool) => spool.append("record for"))
  expect(await reopened(folder)).toEqual({ texts: [...THREE.slice(0, 2), "record for"], damages: [], cut: 0 })
})

const LENGTH = 0
const TOP = 3
const CHECK = 5
const CHECKSUM = 9
const BYTES = 16
test.each([
  ["length", "first", LENGTH],
  ["length's top byte", "first", TOP],
  ["check", "first", CHECK],
  ["checksum", "first", CHECKSUM],
  ["bytes", "first", BYTES],
  ["length", "second", 22 + LENGTH],
  ["length's top byte", "second", 22 + TOP],
  ["check", "second", 22 + CHECK],
  ["checksum", "second", 22 + CHECKSUM],
  ["bytes", "second", 22 + BYTES]
])("a bit that turned over in the %s of the %s record costs this record, which is told", async (_, which, at) => {
  for (const bit of [0, 3, 6, 7]) {
    const { folder, path } = await threeRecords()
    flipBit(path, at, bit)
    const [from, texts] = which === "first" ? [0, ["record two", "record tri"]] : [22, ["record one", "record tri"]]
    expect(await reopened(folder)).toEqual({ texts, damages: [{ from, to: from + 22 }], cut: 0 })
  }
})

test.each([
  ["length", 44 + LENGTH],
  ["length's top byte", 44 + TOP],
  ["check", 44 + CHECK],
  ["checksum", 44 + CHECKSUM],
  ["bytes", 44 + BYTES]
])("a bit that turned over in the %s of the last record looks like a write that was cut off", async (_, at) => {
  const { folder, path } = await threeRecords()
  flipBit(path, at, 1)
  expect(await reopened(folder)).toEqual({ texts: THREE.slice(0, 2), damages: [], cut: 22 })
})

test("a frame that stands where another one stood is none", async () => {
  const { folder, path } = await threeRecords()
  changeFile(path, (bytes) => bytes.copyWithin(22, 0, 22))
  expect(await reopened(folder)).toEqual({
    texts: ["record one", "record tri"],
    damages: [{ from: 22, to: 44 }],
    cut: 0
  })
})

test("a file that is missing between others is told, and the others are read", async () => {
  const folder = newFolder()
  const texts = Array.from({ length: 12 }, (_, index) => `${index} ${"m".repeat(15_000)}`)
  await withSpool(folder, (spool) => appendEach(spool, texts))
  // Four of these records have room in a file.
  expect(segmentsOf(folder)).toEqual(["0000000000000000.log", "0000000000060056.log", "0000000000120112.log"])
  rmSync(join(folder, "0000000000060056.log"))
  expect(await reopened(folder)).toEqual({
    texts: [...texts.slice(0, 4), ...texts.slice(8)],
    damages: [{ from: 60_056, to: 120_112 }],
    cut: 0
  })
})

test("a log opens in an empty folder, and with an empty file in it", async () => {
  const folder = newFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, "0000000000000123.log"), "")
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool.accepted()).toBe(123)
      yield* spool.append("one")
    })
  )
  expect(await reopened(folder)).toEqual({ texts: ["one"], damages: [{ from: 0, to: 123 }], cut: 0 })
})

test("a file of junk holds no record; the log goes on behind it", async () => {
  const folder = newFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, "0000000000000000.log"), Buffer.alloc(5_000, "junk@A\0"))
  expect(await reopened(folder)).toEqual({ texts: [], damages: [], cut: 5_000 })
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool.accepted()).toBe(5_000)
      yield* spool.append("one")
    })
  )
  expect(await reopened(folder)).toEqual({ texts: ["one"], damages: [], cut: 0 })
})

test.each([
  ["spool-id", "", "its file spool-id does not contain a UUID"],
  ["spool-id", "not a UUID", "its file spool-id does not contain a UUID"],
  ["trimmed", "", "its file trimmed does not contain a position"],
  ["trimmed", "12 345", "its file trimmed does not contain a position"],
  ["trimmed", "-1", "its file trimmed does not contain a position"],
  ["trimmed", "99999999999999999", "its file trimmed does not contain a position"]
])("a file %s with %p in it is no log's", async (name, text, why) => {
  const folder = newFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, name), text)
  expect(await failureOf(folder)).toEqual({ reason: "Foreign", message: `${folder} can't be used as a spool: ${why}.` })
})

test("files of others in the folder stay as they are", async () => {
  const { folder, path } = await threeRecords()
  const others = ["notes.txt", "7.log", "000000000000000a.log", "0000000000000000.log.bak", "trimmed.old"]
  for (const name of others) writeFileSync(join(folder, name), "theirs")
  mkdirSync(join(folder, "folder"))
  copyFileSync(path, join(folder, "folder", "0000000000000000.log"))
  await withSpool(folder, (spool) =>
    Effect.andThen(
      spool.append("record for"),
      Effect.suspend(() => spool.trim(spool.durable()))
    )
  )
  for (const name of others) expect(readFileSync(join(folder, name), "utf8")).toBe("theirs")
  expect(existsSync(join(folder, "folder", "0000000000000000.log"))).toBe(true)
  expect(await reopened(folder)).toEqual({ texts: [], damages: [], cut: 0 })
})

test("an owner that appends nothing prepares no file unless it is to", async () => {
  const folder = newFolder()
  await withSpool(folder, () => Effect.void)
  let created = 0
  const files = filesWith(() => {
    created++
    return {}
  })
  const open = (ahead: boolean) =>
    withSpool(folder, () => (ahead ? eventually("a file is prepared", () => created > 0) : Effect.void), {
      ahead,
      files
    })
  await open(false)
  expect(created).toBe(0)
  await open(true)
  await withSpool(folder, (spool) => spool.append("one"), { ahead: false })
  expect(await reopened(folder)).toEqual({ texts: ["one"], damages: [], cut: 0 })
})

test("owners that come and go without anything being given up take no file each", async () => {
  const folder = newFolder()
  const texts: Array<string> = []
  const given = (text: string) => {
    texts.push(text)
    return text
  }
  for (let owner = 0; owner < 20; owner++) {
    await withSpool(folder, (spool) => spool.append(given(`of ${owner}`)))
  }
  expect(segmentsOf(folder)).toEqual(["0000000000000000.log"])
  // More than a quarter of a file is left where it is: the log goes on in a second one.
  for (let owner = 0; owner < 4; owner++) {
    await withSpool(folder, (spool) => appendEach(spool, [given("x".repeat(15_000)), given(`behind ${owner}`)]))
  }
  expect(segmentsOf(folder).length).toBeLessThanOrEqual(3)
  expect(await reopened(folder)).toEqual({ texts, damages: [], cut: 0 })
})

test("what was given up stays so, and positions go on from there", async () => {
  const { folder } = await threeRecords()
  await withSpool(folder, (spool) => spool.trim(22))
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect([spool.oldest, spool.durable()]).toEqual([22, 66])
      expect(contentOf(spool).texts).toEqual(THREE.slice(1))
      yield* spool.trim(66)
      // Less is no news.
      yield* spool.trim(44)
    })
  )
  // All files may be gone; the position is not.
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect([spool.oldest, spool.durable(), spool.accepted()]).toEqual([66, 66, 66])
      yield* spool.append("record for")
      expect(spool.durable()).toBe(88)
    })
  )
  expect(segmentStarts(segmentsOf(folder))).toEqual([66])
})

test("everything accepted is answered when the log has settled, with the first failure among it", async () => {
  const folder = newFolder()
  let fails = false
  await withSpool(
    folder,
    (spool) =>
      Effect.gen(function* () {
        const answers: Array<string> = []
        const append = (text: string) =>
          Effect.forkChild(
            Effect.match(spool.append(text), {
              onSuccess: () => answers.push(text),
              onFailure: () => answers.push("failed")
            })
          )
        yield* append("one")
        yield* append("two")
        yield* Effect.yieldNow
        yield* spool.settled
        yield* eventually("both are answered", () => answers.length === 2)
        expect(answers).toEqual(["one", "two"])
        fails = true
        yield* append("three")
        yield* Effect.yieldNow
        expect(spool.accepted()).toBeGreaterThan(spool.durable())
        const failure = yield* Effect.flip(spool.settled)
        expect(failure).toMatchObject({
          reason: "Unavailable",
          message: `The spool in ${folder} can't be written: EIO.`
        })
        expect(spool.accepted()).toBe(spool.durable())
        fails = false
        yield* eventually("the log is ready", () => spool.status().ready)
        yield* spool.append("four")
        expect(contentOf(spool)).toEqual({ texts: ["one", "two", "four"], damages: [] })
      }),
    {
      files: filesWith((file) => ({
        sync: () => (fails ? Promise.reject(Object.assign(new Error("no"), { code: "EIO" })) : file.sync())
      }))
    }
  )
})

const OPEN_FILES = "/proc/self/fd"
test.skipIf(!existsSync(OPEN_FILES))("no file stays open: not after changes of file, failures and owners", async () => {
  const folder = newFolder()
  const open = () => readdirSync(OPEN_FILES).length
  let failing = false
  const live = () =>
    withSpool(
      folder,
      (spool) =>
        Effect.gen(function* () {
          for (let index = 0; index < 12; index++) yield* spool.append(`${index} ${"f".repeat(15_000)}`)
          failing = true
          yield* Effect.ignore(spool.append("refused"))
          failing = false
          yield* eventually("the log is ready", () => spool.status().ready)
          yield* spool.append("taken")
          yield* spool.trim(spool.durable())
        }),
      {
        files: filesWith((file) => ({
          write: (bytes, offset) =>
            failing ? Promise.reject(Object.assign(new Error("no"), { code: "EIO" })) : file.write(bytes, offset)
        }))
      }
    )
  await live()
  const before = open()
  for (let round = 0; round < 2; round++) await live()
  await until("all are closed", () => open() <= before)
})

test("a folder in folders that are not there is made", async () => {
  const folder = join(newFolder(), "some", "where")
  await withSpool(folder, (spool) => spool.append("one"))
  expect(await reopened(folder)).toEqual({ texts: ["one"], damages: [], cut: 0 })
})

test("a file in the folder's place is said to be none", async () => {
  const folder = newFolder()
  writeFileSync(folder, "")
  expect(await failureOf(folder)).toEqual({ reason: "Io", message: `The spool in ${folder} can't be used: EEXIST.` })
})
