import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool, type Spool } from "../../../layers/spool/Spool.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { nextTurn } from "../../support/eventually.ts"
import { type Fault, MemoryDisk, seededChance } from "../../support/memoryDisk.ts"

setDefaultTimeout(120_000)

const SEGMENT = 4_096
const MAX_BYTES = 6 * SEGMENT
const TIMEOUT_MS = 2_000

/** Lets what was started in other turns of the event loop come to its end. */
const turns = Effect.promise(async () => {
  for (let turn = 0; turn < 12; turn++) await nextTurn()
})
/** Time passes, and what waited for it happens. */
const pass = (time: `${number} seconds`) => Effect.andThen(TestClock.adjust(time), turns)

interface Given {
  readonly text: string
  /** Where it ends; undefined when it was refused at once. */
  readonly position: number | undefined
  readonly fiber: Fiber.Fiber<void, unknown>
}

/** One log over several lives of its owner. */
class World {
  readonly disk: MemoryDisk
  readonly #folder = mkdtempSync(join(tmpdir(), "footfall-spool-"))
  #spool: { readonly service: Spool; readonly scope: Scope.Closeable } | undefined
  #given: Array<Given> = []
  /** Texts that were said to be on the disk, and where each ends. */
  readonly acknowledged = new Map<string, number>()
  trimmed = 0
  /** What the log said that it gave up. */
  givenUp = 0
  flips = 0
  count = 0
  /** Bytes that were taken for a write that was cut off; a flip in the last record looks like one. */
  cut = 0

  constructor(seed: number) {
    this.disk = new MemoryDisk(seededChance(seed))
  }

  get spool(): Spool {
    return this.#spool!.service
  }

  /** A disk that fails while the log is opened is tried again without the fault. */
  readonly open = Effect.gen({ self: this }, function* () {
    for (let attempt = 0; attempt < 3; attempt++) {
      const scope = Scope.makeUnsafe()
      const files = this.disk.files()
      const opening = yield* Effect.forkChild(
        openSpool({
          folder: this.#folder,
          maxPending: 1_000,
          maxBytes: MAX_BYTES,
          timeoutMs: TIMEOUT_MS,
          segmentBytes: SEGMENT,
          files: () => files
        }).pipe(Scope.provide(scope))
      )
      yield* turns
      // Opening waits a minute for a disk that hangs.
      while (opening.pollUnsafe() === undefined) yield* pass("61 seconds")
      const opened = yield* Fiber.await(opening)
      if (Exit.isSuccess(opened)) {
        this.#spool = { service: opened.value, scope }
        // What was written last is written again.
        yield* turns
        expect(this.spool.oldest).toBeGreaterThanOrEqual(this.givenUp)
        this.cut += opened.value.cut
        return
      }
      yield* Scope.close(scope, Exit.void)
      this.disk.fault = () => undefined
    }
    throw new Error("The log can't be opened on a disk without faults.")
  })

  readonly close = Effect.gen({ self: this }, function* () {
    if (this.#spool === undefined) return
    const closing = yield* Effect.forkChild(Scope.close(this.#spool.scope, Exit.void))
    yield* turns
    while (closing.pollUnsafe() === undefined) {
      this.disk.giveUp()
      yield* pass("1 seconds")
    }
    this.#spool = undefined
    yield* this.settle
  })

  append(size: number) {
    return Effect.gen({ self: this }, function* () {
      const text = `${this.count++} ${"x".repeat(size)}`
      const before = this.spool.accepted()
      const fiber = yield* Effect.forkChild(this.spool.append(text), { startImmediately: true })
      const after = this.spool.accepted()
      this.#given.push({ text, position: after > before ? after : undefined, fiber })
    })
  }

  /** Notes what was answered. */
  readonly settle = Effect.gen({ self: this }, function* () {
    yield* turns
    this.#given = this.#given.filter(({ fiber, position, text }) => {
      const exit = fiber.pollUnsafe()
      if (exit === undefined) return true
      if (Exit.isSuccess(exit)) this.acknowledged.set(text, position!)
      return false
    })
  })

  /** Everything is answered by its deadline, whatever the disk does. */
  readonly expectAnswers = Effect.gen({ self: this }, function* () {
    yield* pass("3 seconds")
    yield* this.settle
    expect(this.#given.length).toBe(0)
    expect(this.spool.status().pendingRecords).toBe(0)
  })

  trim(part: number) {
    return Effect.gen({ self: this }, function* () {
      const upTo = Math.floor(this.trimmed + (this.spool.durable() - this.trimmed) * part)
      // Only what a reader had, which ends where a record does.
      const ends = [...this.acknowledged.values()].filter((end) => end <= upTo)
      const position = Math.max(this.trimmed, ...ends)
      const trimmed = yield* Effect.forkChild(Effect.exit(this.spool.trim(position)))
      yield* turns
      this.disk.giveUp()
      // What failed may have happened all the same.
      if (Exit.isSuccess(yield* Fiber.join(trimmed))) this.givenUp = position
      this.trimmed = position
    })
  }

  /** What is read back is what was given, in its order, and what was acknowledged is there, but for what was damaged. */
  expectWhole(from = Math.max(this.trimmed, this.spool.oldest)): void {
    const damages: Array<Damage> = []
    const read: Array<readonly [text: string, position: number]> = []
    const to = this.spool.durable()
    for (const { payload, position } of readRecords(
      "",
      from,
      to,
      (damage) => damages.push(damage),
      this.disk.readable()
    )) {
      read.push([Buffer.from(payload).toString(), position])
    }
    let last = -1
    let end = from
    for (const [text, position] of read) {
      const number = Number(text.split(" ", 1)[0])
      expect(text).toMatch(/^\d+ x*$/)
      expect(number).toBeGreaterThan(last)
      expect(position).toBeGreaterThan(end)
      const told = this.acknowledged.get(text)
      if (told !== undefined) expect(position).toBe(told)
      last = number
      end = position
    }
    const found = new Set(read.map(([text]) => text))
    const missing = [...this.acknowledged].filter(([text, position]) => position > from && !found.has(text))
    expect(missing.length).toBeLessThanOrEqual(this.flips)
    if (missing.length > 0) expect(damages.length + this.cut).toBeGreaterThan(0)
    if (this.flips === 0) expect(damages).toEqual([])
    for (const position of this.acknowledged.values()) expect(to).toBeGreaterThanOrEqual(position)
  }

  /** The power goes and comes back. */
  readonly crash = Effect.gen({ self: this }, function* () {
    this.disk.crash()
    this.disk.fault = () => undefined
    yield* this.close
    yield* this.open
    this.expectWhole()
  })

  /** Without faults the log becomes ready again by itself, and takes records. */
  readonly expectReady = Effect.gen({ self: this }, function* () {
    this.disk.fault = () => undefined
    this.disk.giveUp()
    yield* turns
    yield* pass("3 seconds")
    yield* pass("3 seconds")
    yield* this.trim(1)
    const before = this.acknowledged.size
    yield* this.append(10)
    yield* this.expectAnswers
    expect(this.acknowledged.size).toBe(before + 1)
    expect(this.spool.status().ready).toBe(true)
  })

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

const inWorld = (seed: number, body: (world: World) => Effect.Effect<void>): Promise<void> => {
  const world = new World(seed)
  return Effect.gen(function* () {
    yield* world.open
    yield* body(world)
    yield* world.close
  }).pipe(
    Effect.ensuring(Effect.sync(() => world.remove())),
    Effect.provide(TestClock.layer()),
    Effect.scoped,
    Effect.runPromise
  )
}

const size = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 900 }))
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      sizes: fc.array(size, { minLength: 1, maxLength: 8 })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("trim" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) })
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("fault" as const),
      what: fc.constantFrom<Fault>("ENOSPC", "EIO", "short write", "hang", "crash"),
      after: fc.nat(8),
      times: fc.integer({ min: 1, max: 3 })
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("flip" as const), where: fc.double({ min: 0, max: 1, noNaN: true }) })
  }
)

describe("a log, whatever its disk does", () => {
  test("keeps every record that it acknowledged, once, in order, where it said", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(), (steps, seed) =>
        inWorld(seed, (world) =>
          Effect.gen(function* () {
            for (const one of steps) {
              switch (one.kind) {
                case "append":
                  for (const bytes of one.sizes) yield* world.append(bytes)
                  yield* world.settle
                  break
                case "trim":
                  yield* world.trim(one.part)
                  break
                case "crash":
                  yield* world.crash
                  break
                case "restart":
                  world.disk.fault = () => undefined
                  yield* world.close
                  yield* world.open
                  world.expectWhole()
                  break
                case "wait":
                  yield* world.expectAnswers
                  break
                case "fault": {
                  const first = world.disk.steps + one.after
                  world.disk.fault = (number) => (number >= first && number < first + one.times ? one.what : undefined)
                  break
                }
                case "flip": {
                  const segments = world.disk.names().filter((name) => name.endsWith(".log"))
                  const name = segments[Math.floor(one.where * segments.length)]
                  if (name === undefined) break
                  world.flips++
                  world.disk.flip(name, Math.floor(one.where * 1e6) % (8 * Math.max(1, world.disk.size(name))))
                  break
                }
              }
              // One file may be on its way beside those of the log, and one be left over by a failure.
              expect(world.disk.room()).toBeLessThanOrEqual(MAX_BYTES + 2 * SEGMENT + 200)
            }
            yield* world.expectAnswers
            yield* world.crash
            yield* world.expectReady
          })
        )
      ),
      { numRuns: 300 }
    )
  })

  test("survives a crash at every step that it takes on the disk", async () => {
    const script = (world: World) =>
      Effect.gen(function* () {
        for (let round = 0; round < 6; round++) {
          for (let index = 0; index < 4; index++) yield* world.append(300 + round)
          yield* world.settle
          if (round === 3) yield* world.trim(0.8)
        }
      })
    let steps = 0
    await inWorld(1, (world) =>
      Effect.gen(function* () {
        yield* script(world)
        steps = world.disk.steps
      })
    )
    expect(steps).toBeGreaterThan(25)
    for (let at = 0; at < steps; at++) {
      for (let seed = 0; seed < 4; seed++) {
        await inWorld(seed * 7_919 + at, (world) =>
          Effect.gen(function* () {
            world.disk.fault = (number) => (number === at ? "crash" : undefined)
            yield* script(world)
            yield* world.crash
            yield* world.expectReady
          })
        )
      }
    }
  })

  test("finds a flipped bit of each byte of its records, and reads all others", async () => {
    await inWorld(1, (world) =>
      Effect.gen(function* () {
        for (let index = 0; index < 5; index++) yield* world.append(index)
        yield* world.settle
        const [name] = world.disk.names().filter((one) => one.endsWith(".log"))
        const end = world.spool.durable()
        for (let bit = 0; bit < end * 8; bit++) {
          world.disk.flip(name!, bit)
          const damages: Array<Damage> = []
          const read = [...readRecords("", 0, end, (damage) => damages.push(damage), world.disk.readable())]
          expect(damages.length).toBe(1)
          expect(read.length).toBe(4)
          world.disk.flip(name!, bit)
        }
        expect([...readRecords("", 0, end, () => expect.unreachable(), world.disk.readable())].length).toBe(5)
      })
    )
  })
})
