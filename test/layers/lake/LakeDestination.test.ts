import { expect, test } from "bun:test"
import { Effect, Metric } from "effect"
import { IcebergError } from "../../../layers/iceberg/IcebergError.ts"
import { makeLakeDestination } from "../../../layers/lake/LakeDestination.ts"
import {
  lakeBytes,
  lakeCommitSeconds,
  lakeConflicts,
  lakeFiles,
  lakeRows,
  lakeUnknown
} from "../../../layers/lake/metrics.ts"
import type { LakeThread } from "../../../layers/lake/worker/LakeThread.ts"
import type { CallEvent } from "../../../layers/lake/worker/protocol.ts"
import { run } from "../../support/postgres/controlPlane.ts"

const counted = Effect.all([
  ...[lakeConflicts, lakeUnknown, lakeRows, lakeFiles, lakeBytes].map((metric) => Metric.value(metric)),
  Metric.value(lakeCommitSeconds)
])

/** A thread whose calls report these events and fail. */
const failingThread = (events: ReadonlyArray<CallEvent>): LakeThread => ({
  call: (_name, _input, onEvent = () => {}) =>
    Effect.suspend(() => {
      for (const event of events) onEvent(event)
      return Effect.fail(IcebergError.conflict("Another writer keeps committing."))
    })
})

test("what the commits of a failed write added and met is counted", () =>
  run(
    Effect.gen(function* () {
      const before = yield* counted
      const committed = { rows: 30, files: 4, bytes: 5_000, seconds: 0.02 }
      const destination = yield* makeLakeDestination(
        failingThread([
          { kind: "conflict" },
          { kind: "conflict" },
          { kind: "unknown" },
          { kind: "committed", committed },
          { kind: "damage", damage: { from: 1, to: 2 } }
        ])
      )
      const damage: Array<unknown> = []
      const error = yield* Effect.flip(
        destination.write({ spool: { folder: "/spool/0", id: "a", oldest: 0 }, upTo: 100 }, (part) => damage.push(part))
      )
      const after = yield* counted

      expect(error).toMatchObject({
        _tag: "DestinationError",
        reason: "Unavailable",
        message: "Another writer keeps committing."
      })
      expect(damage).toEqual([{ from: 1, to: 2 }])
      expect(after.map(({ count }, index) => Number(count) - Number(before[index]!.count))).toEqual([
        2, 1, 30, 4, 5_000, 1
      ])
    })
  ))
