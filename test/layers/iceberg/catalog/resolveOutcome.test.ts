import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { type Attempt, type Observation, resolveOutcome } from "../../../../layers/iceberg/catalog/resolveOutcome.ts"
import { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"

type Step<A> = A | IcebergError

const APPLIED = { _tag: "Applied", value: "table" } as const
const REFUSED = { _tag: "Refused", message: "409" } as const
const LOST = { _tag: "Lost", message: "no answer" } as const
const PENDING = { _tag: "Pending" } as const
const SUPERSEDED = { _tag: "Superseded" } as const
const INCONCLUSIVE = { _tag: "Inconclusive", message: "the log is too short" } as const
const DOWN = IcebergError.unavailable("the catalog is down")

const next = <A>(steps: Array<Step<A>>): Effect.Effect<A, IcebergError> =>
  Effect.suspend(() => {
    const step = steps.length > 1 ? steps.shift()! : steps[0]!
    return step instanceof IcebergError ? Effect.fail(step) : Effect.succeed(step)
  })

/** Runs with these results of sending and observing, the last of which repeats. Returns the result and the time in s. */
const resolve = (
  sends: ReadonlyArray<Step<Attempt<string>>>,
  observations: ReadonlyArray<Step<Observation<string>>>
) => {
  const remaining = { sends: [...sends], observations: [...observations] }
  let sent = 0
  const ambiguity: Array<boolean> = []
  return Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(
      Effect.result(
        resolveOutcome({
          what: "web.events",
          send: Effect.tap(next(remaining.sends), () => Effect.sync(() => sent++)),
          observe: (isAmbiguous) => {
            ambiguity.push(isAmbiguous)
            return next(remaining.observations)
          }
        })
      )
    )
    let seconds = 0
    for (; fiber.pollUnsafe() === undefined && seconds < 60; seconds++) {
      yield* Effect.yieldNow
      if (fiber.pollUnsafe() !== undefined) break
      yield* TestClock.adjust("1 seconds")
    }
    const result = yield* Fiber.join(fiber)
    const outcome = result._tag === "Success" ? result.success : result.failure
    return { outcome, seconds, sent, ambiguity }
  }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise)
}

test("an applied change is returned without a check", async () => {
  expect(await resolve([APPLIED], [])).toEqual({ outcome: APPLIED, seconds: 0, sent: 1, ambiguity: [] })
})

test("a definite failure of the first attempt is returned without a check", async () => {
  expect(await resolve([IcebergError.denied("no permission")], [])).toMatchObject({
    outcome: { reason: "Denied", message: "no permission" },
    ambiguity: []
  })
})

test("a change that is superseded for certain is returned without a check", async () => {
  expect(await resolve([{ _tag: "Superseded", isCertain: true }], [])).toMatchObject({
    outcome: { _tag: "Superseded", isCertain: true },
    ambiguity: []
  })
})

test("a change whose response was lost is applied if the state shows it", async () => {
  expect(await resolve([LOST], [APPLIED])).toEqual({ outcome: APPLIED, seconds: 0, sent: 1, ambiguity: [true] })
})

test("a refused change is applied if the state shows it, because the refusal may answer a repetition", async () => {
  expect(await resolve([REFUSED], [APPLIED])).toEqual({ outcome: APPLIED, seconds: 0, sent: 1, ambiguity: [false] })
})

test("a refused change is certainly superseded if another change came first", async () => {
  expect((await resolve([REFUSED], [SUPERSEDED])).outcome).toEqual({ _tag: "Superseded", isCertain: true })
})

test("a lost change is superseded without certainty if another change came first", async () => {
  expect((await resolve([LOST], [SUPERSEDED])).outcome).toEqual({ _tag: "Superseded", isCertain: false })
})

test("a lost change is sent again at once while the state does not show it", async () => {
  expect(await resolve([LOST, APPLIED], [PENDING])).toEqual({
    outcome: APPLIED,
    seconds: 0,
    sent: 2,
    ambiguity: [true]
  })
})

test("a change is checked at once and after 1, 2 and 4 more seconds, then its outcome is unknown", async () => {
  const { outcome, seconds, sent } = await resolve([LOST], [PENDING])
  expect(outcome).toMatchObject({
    reason: "Unknown",
    message: "It is unknown whether web.events was committed: no answer"
  })
  expect([seconds, sent]).toEqual([7, 5])
})

test("a change that is refused every time is superseded without certainty", async () => {
  const { outcome, sent } = await resolve([REFUSED], [PENDING])
  expect(outcome).toEqual({ _tag: "Superseded", isCertain: false })
  expect(sent).toBe(5)
})

test("an error of a later attempt or check makes the outcome ambiguous", async () => {
  expect((await resolve([REFUSED, IcebergError.denied("gone"), REFUSED], [PENDING, SUPERSEDED])).outcome).toEqual({
    _tag: "Superseded",
    isCertain: false
  })
  expect(await resolve([REFUSED], [DOWN, SUPERSEDED])).toMatchObject({
    outcome: { _tag: "Superseded", isCertain: false },
    seconds: 1
  })
})

test("the last error is part of the message if the state cannot be read", async () => {
  expect((await resolve([LOST], [DOWN])).outcome).toMatchObject({
    reason: "Unknown",
    message: "It is unknown whether web.events was committed: the catalog is down"
  })
})

test("the search ends with NotFound if the table no longer exists", async () => {
  expect(await resolve([LOST], [IcebergError.notFound("no table")])).toMatchObject({
    outcome: { reason: "NotFound" },
    seconds: 0
  })
})

test("an inconclusive state ends the search at once", async () => {
  expect(await resolve([LOST], [INCONCLUSIVE])).toMatchObject({
    outcome: {
      reason: "Unknown",
      message: "It is unknown whether web.events was committed: the log is too short"
    },
    seconds: 0
  })
  expect((await resolve([REFUSED], [INCONCLUSIVE])).outcome).toEqual({ _tag: "Superseded", isCertain: false })
})

test("a check that hangs ends with an unknown outcome after 30 seconds", async () => {
  const outcome = await Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(
      Effect.flip(
        resolveOutcome({ what: "web.events", send: Effect.succeed<Attempt<string>>(LOST), observe: () => Effect.never })
      )
    )
    yield* Effect.yieldNow
    yield* TestClock.adjust("30 seconds")
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise)
  expect(outcome.message).toBe(
    "It is unknown whether web.events was committed: the check did not finish within 30 seconds"
  )
})
