import { expect, test } from "bun:test"
import { Effect, Logger, Metric } from "effect"
import { icebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { makeBringIn } from "../../../../layers/iceberg/storage/bringIn.ts"
import { lakeConflicts, lakeUnknown } from "../../../../layers/iceberg/storage/metrics.ts"
import type { LakeThread } from "../../../../layers/iceberg/worker/LakeThread.ts"
import type { CallEvent } from "../../../../layers/iceberg/worker/protocol.ts"

const LOG = { folder: "/spool/0", id: "a", oldest: 0 }

/** A thread whose flushes meet these events, each call its own, and fail. */
const failing = (calls: ReadonlyArray<ReadonlyArray<CallEvent>>): LakeThread => {
  const left = [...calls]
  return {
    call: (_name, _given, onEvent = () => {}) =>
      Effect.suspend(() => {
        for (const event of left.shift() ?? []) onEvent(event)
        return Effect.fail(icebergError("Unavailable", "The bucket can't be reached."))
      })
  }
}

const lines = (effect: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    yield* Effect.provide(Effect.exit(effect), Logger.layer([logger]))
    return logged
  })

const counted = Effect.all({ conflicts: Metric.value(lakeConflicts), unknown: Metric.value(lakeUnknown) })

test("what the commits of a flush met is counted when it fails", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const before = yield* counted
      const bringIn = yield* makeBringIn(failing([[{ kind: "conflict" }, { kind: "conflict" }, { kind: "unknown" }]]))
      const { reason } = yield* Effect.flip(bringIn(LOG)(100))
      const after = yield* counted

      expect(reason).toBe("Unavailable")
      expect(after.conflicts.count - before.conflicts.count).toBe(2)
      expect(after.unknown.count - before.unknown.count).toBe(1)
    })
  ))

test("damage is told when the flush that met it fails, and not again by those that meet it after", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const first: CallEvent = { kind: "damage", damage: { from: 10, to: 20 } }
      // The log has grown where nothing can be read.
      const second: CallEvent = { kind: "damage", damage: { from: 10, to: 30 } }
      const other: CallEvent = { kind: "damage", damage: { from: 50, to: 60 } }
      const bringIn = yield* makeBringIn(failing([[first], [second, other], [second, other]]))
      const own = bringIn(LOG)

      expect(yield* lines(own(100))).toEqual([
        "The log in /spool/0 is damaged from 10 to 20: the records there are lost. Check the disk; the rest is brought in."
      ])
      expect(yield* lines(own(100))).toEqual([expect.stringContaining("damaged from 50 to 60")])
      // As when a log that another collector left is tried again.
      expect(yield* lines(bringIn(LOG)(100))).toEqual([])
    })
  ))
