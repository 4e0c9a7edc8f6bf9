import { expect, test } from "bun:test"
import { Context, Effect, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { CollectCounters } from "../../../src/http/collect/metrics.ts"
import { logOutages } from "../../../src/http/collect/outageLog.ts"
import { Storage, type StorageStatus } from "../../../src/ports/Storage.ts"

const HEALTHY: StorageStatus = {
  backend: "test",
  ready: true,
  pendingRecords: 0,
  pendingBytes: 0,
  inFlight: 0,
  lastSuccessAt: null,
  lastErrorAt: null,
  lastError: null
}

/** Runs a test with a storage whose status it sets, and the lines that are logged meanwhile. */
const withLog = (
  body: (
    show: (change: Partial<StorageStatus>) => void,
    reject: (count: number) => void,
    lines: Array<string>
  ) => Effect.Effect<void>
) => {
  const lines: Array<string> = []
  let status = HEALTHY
  const counters = new CollectCounters(Context.empty())
  const storage = Storage.of({
    saveEvent: () => Effect.void,
    saveIdentity: () => Effect.void,
    flush: Effect.void,
    ping: Effect.void,
    status: Effect.sync(() => status)
  })
  const show = (change: Partial<StorageStatus>) => {
    status = { ...status, ...change }
  }
  const reject = (count: number) => {
    for (let i = 0; i < count; i++) counters.rejected("Unavailable", null)
  }
  return Effect.runPromise(
    Effect.andThen(logOutages(counters), body(show, reject, lines)).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(
          TestClock.layer(),
          Layer.succeed(Storage, storage),
          Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))]),
          Layer.succeed(References.MinimumLogLevel, "Info")
        )
      )
    )
  )
}

test("an outage is logged when it starts, once a minute, and when it ends, with what was rejected meanwhile", () =>
  withLog((show, reject, lines) =>
    Effect.gen(function* () {
      yield* TestClock.adjust("5 seconds")
      expect(lines).toEqual([])
      reject(3)
      show({ ready: false, lastErrorAt: 5_500, lastError: "the server is gone (57P01)" })
      yield* TestClock.adjust("30 seconds")
      reject(2)
      yield* TestClock.adjust("100 seconds")
      show({ ready: true, lastSuccessAt: 135_500 })
      yield* TestClock.adjust("30 seconds")
      expect(lines).toEqual([
        "Events can't be stored; clients get 503 until they can: the server is gone (57P01)",
        "Events still can't be stored, for 60 s; 5 events were rejected with 503 so far: the server is gone (57P01)",
        "Events still can't be stored, for 120 s; 5 events were rejected with 503 so far: the server is gone (57P01)",
        "Events are stored again, after 130 s; 5 events were rejected with 503 meanwhile."
      ])
    })
  ))

test("rejections by a full queue are logged, although the storage is ready at each check", () =>
  withLog((show, reject, lines) =>
    Effect.gen(function* () {
      reject(1)
      yield* TestClock.adjust("1 second")
      show({ lastSuccessAt: 2_500 })
      yield* TestClock.adjust("3 seconds")
      expect(lines).toEqual([
        "Events can't be stored; clients get 503 until they can: too many records were waiting.",
        "Events are stored again, after 1 s; 1 event was rejected with 503 meanwhile."
      ])
    })
  ))

test("a storage that looks ready again, but has stored nothing since, is not reported as recovered", () =>
  withLog((show, reject, lines) =>
    Effect.gen(function* () {
      show({ ready: false, lastSuccessAt: 0, lastError: "the disk is full" })
      yield* TestClock.adjust("2 seconds")
      show({ ready: true })
      yield* TestClock.adjust("5 minutes")
      reject(1)
      yield* TestClock.adjust("1 second")
      expect(lines).toEqual([
        "Events can't be stored; clients get 503 until they can: the disk is full",
        "Events still can't be stored, for 302 s; 1 event was rejected with 503 so far: the disk is full"
      ])
    })
  ))
