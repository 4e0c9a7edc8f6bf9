import { beforeAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { type Command, type Generation, SpoolJourney } from "../../support/disk/SpoolJourney.ts"
import { guardFolder } from "../../support/guard.ts"

/** Journeys that chance makes; FOOTFALL_SPOOL_RUNS asks for more, FOOTFALL_SPOOL_SEED for the same again. */
const RUNS = Number(process.env["FOOTFALL_SPOOL_RUNS"] ?? 300)
const SEED = process.env["FOOTFALL_SPOOL_SEED"]
const TEST_MS = Math.max(60_000, RUNS * 200)

const MEMORY = "/dev/shm"

let root: string
let folders = 0
beforeAll(() => {
  // The folder holds a lock alone; in memory it is made at once.
  root = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "footfall-test-"))
  guardFolder(root)
})

/** The journey's steps of the disk, from the first generation to the arrival; rejects with what did not hold. */
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
  outcome: fc.constantFrom("EIO" as const, "EIO" as const, "ENOSPC" as const, "short" as const, "hang" as const)
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
  "whatever becomes of disk, process and power, acknowledged records are there once, in order, with their bytes",
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

/** Two files and the beginning of a third, a part given up, the next records on their way while that happens. */
const BUSY: ReadonlyArray<Command> = [
  append(10, 20, 30),
  append(900),
  ...Array.from({ length: 14 }, (_, index) => append(500 + index, 500)),
  { kind: "trim", part: 0.9, wait: false },
  append(40, 50),
  append(1_000, 5)
]

/** What the power failure leaves differs from seed to seed. */
const SEEDS = [1, 2, 3]

test(
  "the power may fail at every step of a log's life, and again at every step of what its next owner does first",
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

/** As much as there is room for, and more. */
const FULL: ReadonlyArray<Command> = Array.from({ length: 80 }, () => append(1_000))

test(
  "a log as large as it may be has no room to go on when its owner is gone: it is read, given up and written on, whenever the power fails",
  async () => {
    const goOn: ReadonlyArray<Command> = [
      { kind: "read" },
      { kind: "trim", part: 0.999, wait: true },
      { kind: "pass", ms: 2_500 },
      append(9),
      { kind: "trim", part: 0.999, wait: true },
      append(9)
    ]
    const [, all] = await travel(0, [life({ commands: FULL, end: "kill" }), life({ commands: goOn })])
    expect(all).toBeGreaterThan(20)
    for (let crashAt = 0; crashAt < all!; crashAt++) {
      for (const seed of SEEDS) {
        const end = seed === 1 ? "kill" : "power"
        await travel(seed * 1_000 + crashAt, [
          life({ commands: FULL, end }),
          life({ commands: goOn, crashAt }),
          life({ commands: goOn, heals: true })
        ])
      }
    }
    for (let at = 0; at < all!; at++) {
      for (const lasts of [1, 4]) {
        const faults = [{ at, lasts, outcome: "EIO" as const }]
        await travel(at, [life({ commands: FULL, end: "kill" }), life({ commands: goOn, faults, heals: lasts === 1 })])
      }
    }
  },
  TEST_MS
)

test.each(["EIO", "ENOSPC", "short", "hang"] as const)(
  "every step may end in %s once: records are answered, and the log goes on by itself, whether or not the power fails then",
  async (outcome) => {
    const [all] = await travel(0, [life({ commands: BUSY, end: "close" })])
    const goOn: ReadonlyArray<Command> = [
      ...BUSY,
      { kind: "pass", ms: 2_500 },
      append(60),
      { kind: "wake" },
      append(70),
      { kind: "trim", part: 0.5, wait: true }
    ]
    for (let at = 0; at < all!; at++) {
      const faults = [{ at, lasts: 1, outcome }]
      await travel(at, [life({ faults, commands: goOn, heals: true })])
      await travel(at, [life({ faults, commands: BUSY, end: "kill" }), life({ end: "power" })])
    }
  },
  TEST_MS
)
