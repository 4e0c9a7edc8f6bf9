import { describe, expect, test } from "bun:test"
import { Effect, Fiber, References, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { type Flusher, type FlushLimits, makeFlusher } from "../../../layers/forward/Flusher.ts"
import { type IcebergError, icebergError } from "../../../layers/iceberg/IcebergError.ts"
import type { FlushResult } from "../../../layers/lake/writer/LakeWriter.ts"

const LIMITS: FlushLimits = { intervalMs: 30_000, batchSize: 1_000, bytes: 64_000_000 }

const result = (position: number): FlushResult => ({
  position,
  rows: 1
})

interface Setting {
  readonly flusher: Flusher
  /** Positions up to which was flushed, in turn. */
  readonly flushed: Array<number>
  readonly trimmed: Array<number>
  /** A record of a site comes, and is on the disk. */
  readonly record: (site?: string, bytes?: number) => void
  /** What becomes of flushes from now on. */
  outcome: Effect.Effect<void, IcebergError>
  readonly pass: (time: `${number} seconds` | `${number} minutes`) => Effect.Effect<void>
}

const check = (
  body: (setting: Setting) => Effect.Effect<void, unknown, Scope.Scope>,
  { durable = 0, limits = LIMITS }: { readonly durable?: number; readonly limits?: FlushLimits } = {}
): Promise<void> =>
  Effect.gen(function* () {
    const log = { durable, oldest: 0 }
    const flushed: Array<number> = []
    const trimmed: Array<number> = []
    const setting = { outcome: Effect.void as Effect.Effect<void, IcebergError> }
    const flusher = yield* makeFlusher(
      { durable: () => log.durable, oldest: 0, trim: (upTo) => Effect.sync(() => void trimmed.push(upTo)) },
      limits,
      (upTo) =>
        Effect.suspend(() => {
          flushed.push(upTo)
          return Effect.as(setting.outcome, result(upTo))
        })
    )
    yield* body(
      Object.assign(setting, {
        flusher,
        flushed,
        trimmed,
        record: (site = "a", bytes = 1) => {
          log.durable += bytes
          flusher.note(site)
        },
        pass: (time: `${number} seconds` | `${number} minutes`) => TestClock.adjust(time)
      })
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(TestClock.layer()),
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Effect.runPromise
  )

const many = (count: number, record: () => void) => {
  for (let index = 0; index < count; index++) record()
}

describe("a log is flushed", () => {
  test("when its oldest record has waited for the interval, and given up then", () =>
    check(({ flushed, pass, record, trimmed }) =>
      Effect.gen(function* () {
        record()
        yield* pass("20 seconds")
        record()
        expect(flushed).toEqual([])
        yield* pass("11 seconds")
        expect(flushed).toEqual([2])
        expect(trimmed).toEqual([2])
        yield* pass("10 minutes")
        expect(flushed).toEqual([2])
      })
    ))

  test("at once for what an earlier process left", () =>
    check(
      ({ flushed, pass }) =>
        Effect.andThen(
          pass("1 seconds"),
          Effect.sync(() => expect(flushed).toEqual([500]))
        ),
      {
        durable: 500
      }
    ))

  test("when there are enough events for each site, though not within five seconds of the last flush", () =>
    check(({ flushed, pass, record }) =>
      Effect.gen(function* () {
        many(1_999, record)
        record("b")
        yield* pass("1 seconds")
        expect(flushed).toEqual([2_000])
        many(2_000, record)
        yield* pass("3 seconds")
        expect(flushed).toEqual([2_000])
        yield* pass("2 seconds")
        expect(flushed).toEqual([2_000, 4_000])
        // A thousand for two sites are too few.
        many(500, () => record("a"))
        many(500, () => record("b"))
        yield* pass("20 seconds")
        expect(flushed).toEqual([2_000, 4_000])
      })
    ))

  test("when it is large enough", () =>
    check(({ flushed, pass, record }) =>
      Effect.gen(function* () {
        record("a", 64_000_000)
        yield* pass("1 seconds")
        expect(flushed).toEqual([64_000_000])
      })
    ))

  test("when somebody asks, who is answered when it is done", () =>
    check(({ flushed, flusher, pass, record }) =>
      Effect.gen(function* () {
        record()
        const asked = yield* Effect.forkChild(flusher.flush(1), { startImmediately: true })
        expect(asked.pollUnsafe()).toBeUndefined()
        yield* pass("1 seconds")
        yield* Fiber.join(asked)
        expect(flushed).toEqual([1])
        yield* flusher.flush(1)
        expect(flushed).toEqual([1])
      })
    ))
})

describe("a flush that fails", () => {
  const away = icebergError("Unavailable", "The bucket can't be reached.")

  test("keeps the log, is tried again later and later, and tells until it goes well", () =>
    check((setting) =>
      Effect.gen(function* () {
        const { flushed, flusher, pass, record, trimmed } = setting
        setting.outcome = Effect.fail(away)
        record()
        yield* pass("30 seconds")
        expect(flushed.length).toBe(1)
        expect(flusher.failure()?.message).toBe("The bucket can't be reached.")
        expect(flusher.backlog()).toBe(1)
        yield* pass("2 minutes")
        const tries = flushed.length
        expect(tries).toBeWithin(5, 9)
        setting.outcome = Effect.void
        yield* pass("31 seconds")
        expect(flushed.length).toBe(tries + 1)
        expect(trimmed).toEqual([1])
        expect(flusher.failure()).toBeNull()
        expect(flusher.backlog()).toBe(0)
      })
    ))

  test("fails those who asked for it, and is tried at once for those who ask again", () =>
    check((setting) =>
      Effect.gen(function* () {
        const { flushed, flusher, pass, record } = setting
        setting.outcome = Effect.fail(away)
        record()
        const asked = yield* Effect.forkChild(Effect.flip(flusher.flush(1)), { startImmediately: true })
        yield* pass("1 seconds")
        expect(yield* Fiber.join(asked)).toBe(away)
        setting.outcome = Effect.void
        const again = yield* Effect.forkChild(flusher.flush(1), { startImmediately: true })
        yield* pass("1 seconds")
        yield* Fiber.join(again)
        expect(flushed).toEqual([1, 1])
      })
    ))

  test("leaves nobody waiting when the process stops", () =>
    Effect.runPromise(
      Effect.gen(function* () {
        const asked = yield* Effect.scoped(
          Effect.gen(function* () {
            const flusher = yield* makeFlusher(
              { durable: () => 5, oldest: 0, trim: () => Effect.void },
              LIMITS,
              () => Effect.never
            )
            return yield* Effect.forkDetach(Effect.flip(flusher.flush(5)), { startImmediately: true })
          })
        )
        expect((yield* Fiber.join(asked)).message).toBe("The collector is stopping.")
      })
    ))
})
