import { expect, test } from "bun:test"
import { Effect, Fiber, References, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { DestinationError } from "../../../layers/forward/Destination.ts"
import { type Flusher, makeFlusher } from "../../../layers/forward/Flusher.ts"
import type { FlushLimits } from "../../../layers/forward/FlushSchedule.ts"
import { makeForwardMetrics } from "../../../layers/forward/metrics.ts"

const LIMITS: FlushLimits = { intervalMs: 30_000, batchSize: 1_000, bytes: 64_000_000 }
const METRICS = makeForwardMetrics("test")

interface Setup {
  readonly flusher: Flusher
  /** The positions of the flushes, in order. */
  readonly flushed: Array<number>
  readonly trimmed: Array<number>
  /** A record of a site is accepted and on the disk. */
  readonly record: (site?: string, bytes?: number) => void
  /** The disk takes what the previous owner wrote last. */
  readonly rewrite: () => void
  /** The outcome of flushes from now on. */
  outcome: Effect.Effect<void, DestinationError>
  readonly pass: (time: `${number} seconds` | `${number} minutes`) => Effect.Effect<void>
}

const check = (
  body: (setup: Setup) => Effect.Effect<void, unknown, Scope.Scope>,
  {
    durable = 0,
    limits = LIMITS,
    tail = 0
  }: { readonly durable?: number; readonly limits?: FlushLimits; readonly tail?: number } = {}
): Promise<void> =>
  Effect.gen(function* () {
    const spool = { durable, oldest: 0, tail }
    const flushed: Array<number> = []
    const trimmed: Array<number> = []
    const setup = { outcome: Effect.void as Effect.Effect<void, DestinationError> }
    const flusher = yield* makeFlusher(
      {
        durable: () => spool.durable,
        acknowledged: () => spool.durable + spool.tail,
        problem: () => (spool.tail > 0 ? "the disk is full" : null),
        oldest: 0,
        trim: (upTo) => Effect.sync(() => void trimmed.push(upTo))
      },
      limits,
      (upTo) =>
        Effect.suspend(() => {
          flushed.push(upTo)
          return Effect.as(setup.outcome, { position: upTo, rows: 1 })
        }),
      METRICS
    )
    yield* body(
      Object.assign(setup, {
        flusher,
        flushed,
        trimmed,
        record: (site = "a", bytes = 1) => {
          spool.durable += bytes
          flusher.note(site)
        },
        rewrite: () => {
          spool.durable += spool.tail
          spool.tail = 0
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

const times = (count: number, record: () => void) => {
  for (let index = 0; index < count; index++) record()
}

test("a spool is flushed and trimmed when its oldest record has waited for the interval", () =>
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

test("what an earlier process left in a spool is flushed at once", () =>
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

test("a spool is flushed when it has enough events per site, but not within five seconds of the last flush", () =>
  check(({ flushed, pass, record }) =>
    Effect.gen(function* () {
      times(1_999, record)
      record("b")
      yield* pass("1 seconds")
      expect(flushed).toEqual([2_000])
      times(2_000, record)
      yield* pass("3 seconds")
      expect(flushed).toEqual([2_000])
      yield* pass("2 seconds")
      expect(flushed).toEqual([2_000, 4_000])
      // A thousand events of two sites are not enough.
      times(500, () => record("a"))
      times(500, () => record("b"))
      yield* pass("20 seconds")
      expect(flushed).toEqual([2_000, 4_000])
    })
  ))

test("a spool is flushed when it is large enough", () =>
  check(({ flushed, pass, record }) =>
    Effect.gen(function* () {
      record("a", 64_000_000)
      yield* pass("1 seconds")
      expect(flushed).toEqual([64_000_000])
    })
  ))

test("a requested flush resumes the caller when it is done", () =>
  check(({ flushed, flusher, pass, record }) =>
    Effect.gen(function* () {
      record()
      const request = yield* Effect.forkChild(flusher.flush(1), { startImmediately: true })
      expect(request.pollUnsafe()).toBeUndefined()
      yield* pass("1 seconds")
      yield* Fiber.join(request)
      expect(flushed).toEqual([1])
      yield* flusher.flush(1)
      expect(flushed).toEqual([1])
    })
  ))

const unreachable = new DestinationError({ reason: "Unavailable", message: "The bucket is unreachable." })

test("a failed flush keeps the spool, is retried with growing waits, and is reported until it succeeds", () =>
  check((setup) =>
    Effect.gen(function* () {
      const { flushed, flusher, pass, record, trimmed } = setup
      setup.outcome = Effect.fail(unreachable)
      record()
      yield* pass("30 seconds")
      expect(flushed.length).toBe(1)
      expect(flusher.failure()?.message).toBe("The bucket is unreachable.")
      expect(flusher.backlog()).toBe(1)
      yield* pass("2 minutes")
      const attempts = flushed.length
      expect(attempts).toBeWithin(5, 9)
      setup.outcome = Effect.void
      yield* pass("31 seconds")
      expect(flushed.length).toBe(attempts + 1)
      expect(trimmed).toEqual([1])
      expect(flusher.failure()).toBeNull()
      expect(flusher.backlog()).toBe(0)
    })
  ))

test("a failed flush fails its callers, and a new request retries it at once", () =>
  check((setup) =>
    Effect.gen(function* () {
      const { flushed, flusher, pass, record } = setup
      setup.outcome = Effect.fail(unreachable)
      record()
      const first = yield* Effect.forkChild(Effect.flip(flusher.flush(1)), { startImmediately: true })
      yield* pass("1 seconds")
      expect(yield* Fiber.join(first)).toBe(unreachable)
      setup.outcome = Effect.void
      const second = yield* Effect.forkChild(flusher.flush(1), { startImmediately: true })
      yield* pass("1 seconds")
      yield* Fiber.join(second)
      expect(flushed).toEqual([1, 1])
    })
  ))

test("a caller that waits for a flush is answered when the process stops", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const request = yield* Effect.scoped(
        Effect.gen(function* () {
          const flusher = yield* makeFlusher(
            { durable: () => 5, oldest: 0, trim: () => Effect.void },
            LIMITS,
            () => Effect.never,
            METRICS
          )
          return yield* Effect.forkDetach(Effect.flip(flusher.flush(5)), { startImmediately: true })
        })
      )
      expect((yield* Fiber.join(request)).message).toBe("The collector is stopping.")
    })
  ))

test("what a full disk does not take again is part of the backlog, fails a flush with the reason, and is flushed once there is room", () =>
  check(
    ({ flushed, flusher, pass, rewrite }) =>
      Effect.gen(function* () {
        const flush = yield* Effect.forkChild(Effect.flip(flusher.flush(150)))
        yield* pass("1 seconds")
        const message =
          "50 bytes of the previous process can only be flushed once the disk takes them again: the disk is full."
        expect((yield* Fiber.join(flush)).message).toBe(message)
        expect(flusher.failure()?.message).toBe(message)
        expect([flushed, flusher.backlog()]).toEqual([[100], 50])
        rewrite()
        yield* pass("6 seconds")
        expect([flushed, flusher.backlog(), flusher.failure()]).toEqual([[100, 150], 0, null])
      }),
    { durable: 100, tail: 50 }
  ))
