import { beforeAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { Group } from "../../../layers/spool/Group.ts"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { Segments } from "../../../layers/spool/Segments.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { chanceOf, SimulatedDisk } from "../../support/disk/SimulatedDisk.ts"
import { type Command, type Fault, type Generation, SpoolJourney } from "../../support/disk/SpoolJourney.ts"
import { guardFolder } from "../../support/process/guard.ts"

/** Random journeys; FOOTFALL_SPOOL_RUNS sets their number, FOOTFALL_SPOOL_SEED repeats a run. */
const RUNS = Number(process.env["FOOTFALL_SPOOL_RUNS"] ?? 300)
const SEED = process.env["FOOTFALL_SPOOL_SEED"]
const TEST_MS = Math.max(60_000, RUNS * 200)

const MEMORY = "/dev/shm"

let root: string
let folders = 0
beforeAll(() => {
  // The folder contains only the lock; in memory it is created at once.
  root = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "footfall-test-"))
  guardFolder(root)
})

/** The number of the disk's steps in each generation. Rejects if an invariant does not hold. */
const travel = (seed: number, generations: ReadonlyArray<Generation>): Promise<ReadonlyArray<number>> => {
  const journey = new SpoolJourney(join(root, String(folders++)), seed)
  return Effect.runPromise(
    Effect.gen(function* () {
      const steps: Array<number> = []
      for (const generation of generations) {
        const before = journey.steps
        yield* journey.live(generation)
        steps.push(journey.steps - before)
      }
      yield* journey.arrive
      return steps
    }).pipe(Effect.provide(TestClock.layer({ warningDelay: "1 hour" })))
  )
}

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      sizes: fc.array(fc.oneof({ weight: 4, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.nat(1_200) }), {
        minLength: 1,
        maxLength: 12
      }),
      wait: fc.boolean()
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("trim" as const),
      part: fc.double({ min: 0, max: 0.999, noNaN: true }),
      wait: fc.boolean()
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("read" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("follow" as const), records: fc.integer({ min: 1, max: 8 }) })
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(0, 100, 1_100, 3_000) })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wake" as const) }) }
) satisfies fc.Arbitrary<Command>

const fault = fc.record({
  at: fc.nat(60),
  lasts: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: 2, max: 12 }) }),
  outcome: fc.constantFrom<Fault["outcome"]>("EIO", "EIO", "ENOSPC", "short", "hang", "hangThenEIO")
})

const generation: fc.Arbitrary<Generation> = fc.record({
  faults: fc.oneof(fc.constant([]), fc.array(fault, { maxLength: 3 })),
  commands: fc.array(command, { maxLength: 14 }),
  end: fc.constantFrom("power" as const, "power" as const, "kill" as const, "close" as const),
  crashAt: fc.option(fc.nat(70)),
  heals: fc.boolean(),
  flips: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc.record({
          segment: fc.double({ min: 0, max: 0.999, noNaN: true }),
          place: fc.double({ min: 0, max: 0.999, noNaN: true }),
          bit: fc.nat(7)
        }),
        { maxLength: 2 }
      )
    }
  )
})

test(
  "acknowledged records are there once, in order and unchanged, whatever happens to disk, process and power",
  () =>
    fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(generation, { minLength: 1, maxLength: 4 }), (seed, generations) =>
        travel(seed, generations).then(() => {})
      ),
      { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) }
    ),
  TEST_MS
)

const append = (...sizes: ReadonlyArray<number>): Command => ({ kind: "append", sizes, wait: true })
const life = (changes: Partial<Generation>): Generation => ({
  faults: [],
  commands: [],
  end: "power",
  crashAt: null,
  heals: false,
  flips: [],
  ...changes
})

/** Two segments and the beginning of a third, a trim, and records that are appended meanwhile. */
const BUSY: ReadonlyArray<Command> = [
  append(10, 20, 30),
  append(900),
  ...Array.from({ length: 14 }, (_, index) => append(500 + index, 500)),
  { kind: "trim", part: 0.9, wait: false },
  append(40, 50),
  append(1_000, 5)
]

/** What a power failure leaves depends on the seed. */
const SEEDS = [1, 2, 3]

test(
  "a power failure at any step of a spool's life, and another at any step of its next owner's start, loses no acknowledged record",
  async () => {
    const [all] = await travel(0, [life({ commands: BUSY, end: "close" })])
    expect(all).toBeGreaterThan(60)
    for (let crashAt = 0; crashAt < all!; crashAt++) {
      for (const seed of SEEDS) await travel(seed * 1_000 + crashAt, [life({ commands: BUSY, crashAt })])
    }
    for (let crashAt = 0; crashAt < 25; crashAt++) {
      for (const seed of SEEDS) {
        await travel(seed * 1_000 + crashAt, [
          life({ commands: BUSY, end: seed === 1 ? "power" : "kill" }),
          life({ crashAt, commands: [append(7)] }),
          life({ crashAt: (crashAt * 7) % 11 })
        ])
      }
    }
  },
  TEST_MS
)

/** More than there is room for. */
const FULL: ReadonlyArray<Command> = Array.from({ length: 80 }, () => append(1_000))

test(
  "a full spool is read, trimmed and continued by its next owner, whenever the power fails",
  async () => {
    const continuation: ReadonlyArray<Command> = [
      { kind: "read" },
      { kind: "trim", part: 0.999, wait: true },
      { kind: "pass", ms: 2_500 },
      append(9),
      { kind: "trim", part: 0.999, wait: true },
      append(9)
    ]
    const [, all] = await travel(0, [life({ commands: FULL, end: "kill" }), life({ commands: continuation })])
    expect(all).toBeGreaterThan(20)
    for (let crashAt = 0; crashAt < all!; crashAt++) {
      for (const seed of SEEDS) {
        const end = seed === 1 ? "kill" : "power"
        await travel(seed * 1_000 + crashAt, [
          life({ commands: FULL, end }),
          life({ commands: continuation, crashAt }),
          life({ commands: continuation, heals: true })
        ])
      }
    }
    for (let at = 0; at < all!; at++) {
      for (const lasts of [1, 4]) {
        const faults = [{ at, lasts, outcome: "EIO" as const }]
        await travel(at, [
          life({ commands: FULL, end: "kill" }),
          life({ commands: continuation, faults, heals: lasts === 1 })
        ])
      }
    }
  },
  TEST_MS
)

test.each(["EIO", "ENOSPC", "short", "hang", "hangThenEIO"] as const)(
  "when any one step ends in %s, records are answered and the spool continues by itself, whether or not the power fails then",
  async (outcome) => {
    const [all] = await travel(0, [life({ commands: BUSY, end: "close" })])
    const continuation: ReadonlyArray<Command> = [
      ...BUSY,
      { kind: "pass", ms: 2_500 },
      append(60),
      { kind: "wake" },
      append(70),
      { kind: "trim", part: 0.5, wait: true }
    ]
    for (let at = 0; at < all!; at++) {
      const faults = [{ at, lasts: 1, outcome }]
      await travel(at, [life({ faults, commands: continuation, heals: true })])
      await travel(at, [life({ faults, commands: BUSY, end: "kill" }), life({ end: "power" })])
    }
  },
  TEST_MS
)

test("any flipped bit of a spool is reported as damage of one record, and all others are read", async () => {
  const disk = new SimulatedDisk(chanceOf(1))
  const segments = new Segments(disk.files(), [], {
    segmentBytes: 4_096,
    maxBytes: 8_192,
    ahead: false,
    sleep: () => Promise.resolve(),
    accepted: () => 0
  })
  let end = 0
  for (let index = 0; index < 5; index++) {
    const group = new Group(Buffer.alloc(100), end)
    end += group.append(`${index} ${"x".repeat(index)}`, end)
    await segments.write(group.start, group.bytes)
  }
  const name = disk.names[0]!
  for (let bit = 0; bit < end * 8; bit++) {
    disk.flip(name, bit >> 3, bit & 7)
    const damages: Array<Damage> = []
    const read = [...readRecords("", 0, end, (damage) => damages.push(damage), disk.folder)]
    expect([damages.length, read.length]).toEqual([1, 4])
    disk.flip(name, bit >> 3, bit & 7)
  }
  expect([...readRecords("", 0, end, () => expect.unreachable(), disk.folder)].length).toBe(5)
})
