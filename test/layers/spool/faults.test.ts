import { expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { openSpool } from "../../../layers/spool/Spool.ts"
import { filesWith } from "../../support/disk/filesWith.ts"
import { SmallDisk } from "../../support/disk/SmallDisk.ts"
import {
  appendEach,
  contentOf,
  newFolder,
  readFolder,
  reopened,
  segmentFiles,
  spoolOptions,
  withSpool
} from "../../support/disk/spools.ts"
import { eventually, until } from "../../support/eventually.ts"
import { Program } from "../../support/process/Program.ts"

/** Ten processes start, one after the other. */
const KILLED_MS = 60_000

const ioError = () => Promise.reject(Object.assign(new Error("failed"), { code: "EIO" }))

test.each([
  ["and trims", true],
  ["and never trims", false]
])(
  "a process that appends %s loses no acknowledged record when it is killed, ten times in a row",
  async (_, trims) => {
    const folder = newFolder()
    const acknowledged: Array<number> = []
    let first = 0
    for (let round = 0; round < 10; round++) {
      await using program = new Program([
        process.execPath,
        join(import.meta.dir, "../../support/process/appendingProcess.ts"),
        folder,
        String(first)
      ])
      const printed = () => program.out.split("\n").slice(0, -1).map(Number)
      await until(
        () => `400 records are acknowledged: ${program.output.slice(-500)}`,
        () => printed().length >= 400 + round * 37
      )
      program.signal("SIGKILL")
      await program.ended()
      acknowledged.push(...printed())
      await withSpool(
        folder,
        (spool) =>
          Effect.gen(function* () {
            const { damages, records } = contentOf(spool)
            expect(damages).toEqual([])
            const numbers = records.map((record) => Number(record.split(" ")[0]))
            expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
            expect(new Set(numbers).size).toBe(numbers.length)
            expect(
              records.filter((record, index) => record !== `${numbers[index]} ${"x".repeat(numbers[index]! % 900)}`)
            ).toEqual([])
            const found = new Set(numbers)
            expect(acknowledged.filter((number) => !found.has(number))).toEqual([])
            first = Math.max(...numbers, ...acknowledged) + 1
            if (!trims) return
            yield* spool.trim(spool.durable())
            acknowledged.length = 0
          }),
        { segmentBytes: 256 << 10, maxBytes: 1 << 30 }
      )
    }
  },
  KILLED_MS
)

const disk = SmallDisk.mount(6)
test.skipIf(disk === null)("a full disk refuses records as unavailable until there is space again", async () => {
  using small = disk!
  const folder = join(small.path, "spool")
  await withSpool(
    folder,
    (spool) =>
      Effect.gen(function* () {
        const kept: Array<string> = []
        let refused: unknown = null
        for (let index = 0; refused === null; index++) {
          const record = `${index} ${"x".repeat(50_000)}`
          yield* Effect.match(spool.append(record), {
            onSuccess: () => kept.push(record),
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
        expect(contentOf(spool)).toEqual({ records: kept, damages: [] })
        small.free()
        yield* eventually("the spool accepts records again", () => spool.status().ready)
        // The failed trim was repeated in the background.
        yield* eventually("the old segments are gone", () => segmentFiles(folder).length === 1)
        yield* spool.append("after")
        expect(readFolder(folder, upTo, spool.durable())).toEqual({ records: ["after"], damages: [] })
      }),
    { segmentBytes: 1 << 20, maxBytes: 1 << 30 }
  )
})

/** Folders whose files sync only while they are not held. */
const heldFiles = () => {
  let isHeld = false
  let release = () => {}
  let released = Promise.resolve()
  let synced = 0
  const files = filesWith((file) => ({
    sync: async () => {
      if (isHeld) await released
      await file.sync()
      synced++
    }
  }))
  return {
    files,
    /** The number of finished syncs. */
    synced: () => synced,
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

test("a disk that hangs delays neither answers nor closing past the deadline, and the spool continues when it is back", async () => {
  const folder = newFolder()
  const held = heldFiles()
  const scope = await Effect.runPromise(Scope.make())
  const timeoutMs = 300
  const spool = await Effect.runPromise(
    Scope.provide(openSpool(spoolOptions(folder, { timeoutMs, files: held.files })), scope)
  )
  await Effect.runPromise(spool.append("before"))
  held.hold()
  const timedOut = { reason: "Unavailable", message: "The disk did not store the record within 0.3 s." }
  expect(await Effect.runPromise(Effect.flip(spool.append("during")))).toMatchObject(timedOut)
  await until("the spool is not ready", () => !spool.status().ready)
  expect(spool.status()).toMatchObject({ lastError: timedOut.message, pendingRecords: 0, pendingBytes: 0, inFlight: 1 })
  // From now on, records are refused at once.
  expect(await Effect.runPromise(Effect.flip(spool.append("refused")))).toMatchObject(timedOut)
  held.release()
  await until("the spool is ready", () => spool.status().ready)
  await Effect.runPromise(spool.append("after"))
  expect(contentOf(spool)).toEqual({ records: ["before", "during", "after"], damages: [] })
  held.hold()
  const answers = Promise.all(["x", "y"].map((record) => Effect.runPromise(Effect.exit(spool.append(record)))))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  expect((await answers).every(Exit.isFailure)).toBe(true)
  // The next owner does not wait for it either.
  expect((await reopened(folder)).records.slice(0, 3)).toEqual(["before", "during", "after"])
  held.release()
})

test("what a slow disk delayed for one owner does not touch the next owner's files", async () => {
  const folder = newFolder()
  const held = heldFiles()
  const scope = await Effect.runPromise(Scope.make())
  const options = spoolOptions(folder, { timeoutMs: 300, files: held.files })
  const first = await Effect.runPromise(Scope.provide(openSpool(options), scope))
  await until("the next segment is prepared", () => held.synced() > 0)
  held.hold()
  // The segment is about to get its name, and never does.
  const late = Effect.runPromise(Effect.exit(first.append("late")))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  expect(Exit.isFailure(await late)).toBe(true)
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      yield* spool.append("mine")
      yield* eventually("its next segment is prepared", () => existsSync(join(folder, "next.tmp")))
      const before = held.synced()
      held.release()
      yield* eventually("the first owner's sync has ended", () => held.synced() > before)
      yield* appendEach(
        spool,
        Array.from({ length: 6 }, () => "x".repeat(15_000))
      )
      expect(contentOf(spool).records.map((record) => record.slice(0, 4))).toEqual(["mine", ...Array(6).fill("xxxx")])
      expect(contentOf(spool).damages).toEqual([])
    })
  )
})

test("a spool has settled when every accepted record is answered, and fails with the first failure among them", async () => {
  const folder = newFolder()
  let fails = false
  await withSpool(
    folder,
    (spool) =>
      Effect.gen(function* () {
        const answers: Array<string> = []
        const append = (record: string) =>
          Effect.forkChild(
            Effect.match(spool.append(record), {
              onSuccess: () => answers.push(record),
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
        yield* eventually("the spool is ready", () => spool.status().ready)
        yield* spool.append("four")
        expect(contentOf(spool)).toEqual({ records: ["one", "two", "four"], damages: [] })
      }),
    { files: filesWith((file) => ({ sync: () => (fails ? ioError() : file.sync()) })) }
  )
})

const OPEN_FILES = "/proc/self/fd"
test.skipIf(!existsSync(OPEN_FILES))("no file stays open after rotations, failures and changes of owner", async () => {
  const folder = newFolder()
  const open = () => readdirSync(OPEN_FILES).length
  let fails = false
  const live = () =>
    withSpool(
      folder,
      (spool) =>
        Effect.gen(function* () {
          for (let index = 0; index < 12; index++) yield* spool.append(`${index} ${"f".repeat(15_000)}`)
          fails = true
          yield* Effect.ignore(spool.append("refused"))
          fails = false
          yield* eventually("the spool is ready", () => spool.status().ready)
          yield* spool.append("accepted")
          yield* spool.trim(spool.durable())
        }),
      {
        files: filesWith((file) => ({
          write: (bytes, offset) => (fails ? ioError() : file.write(bytes, offset))
        }))
      }
    )
  await live()
  const before = open()
  for (let round = 0; round < 2; round++) await live()
  await until("all are closed", () => open() <= before)
})
