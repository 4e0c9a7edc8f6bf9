import { Effect, type Scope } from "effect"
import { type Destination, DestinationError } from "../forward/Destination.ts"
import type { IcebergError } from "../iceberg/IcebergError.ts"
import type { LakeConfig } from "./config.ts"
import * as metrics from "./metrics.ts"
import { plainReason } from "./plainReason.ts"
import { type LakeThread, makeLakeThread } from "./worker/LakeThread.ts"
import type { CommitEvent } from "./worker/protocol.ts"

const toDestinationError = (error: IcebergError) =>
  new DestinationError({ reason: plainReason(error), message: error.message })

/** The lake as a destination, served by a thread. Counts commits and what they met. */
export const makeLakeDestination = Effect.fnUntraced(function* (thread: LakeThread): Effect.fn.Return<Destination> {
  const context = yield* Effect.context<never>()

  const count = (event: CommitEvent): void => {
    switch (event.kind) {
      case "conflict":
        metrics.lakeConflicts.updateUnsafe(1, context)
        break
      case "unknown":
        metrics.lakeUnknown.updateUnsafe(1, context)
        break
      case "committed": {
        const { bytes, files, rows, seconds } = event.committed
        metrics.lakeRows.updateUnsafe(rows, context)
        metrics.lakeFiles.updateUnsafe(files, context)
        metrics.lakeBytes.updateUnsafe(bytes, context)
        metrics.lakeCommitSeconds.updateUnsafe(seconds, context)
      }
    }
  }

  return {
    name: "lake",
    prepare: Effect.asVoid(Effect.mapError(thread.call("prepare", null), toDestinationError)),
    reconcile: (spool, onRolledBack) =>
      thread
        .call("reconcile", spool, (event) => {
          if (event.kind === "rolled back") onRolledBack(event.rolledBack)
          else if (event.kind !== "damage") count(event)
        })
        .pipe(Effect.asVoid, Effect.mapError(toDestinationError)),
    write: (run, onDamage) =>
      thread
        .call("write", run, (event) => {
          if (event.kind === "damage") onDamage(event.damage)
          else if (event.kind !== "rolled back") count(event)
        })
        .pipe(Effect.mapError(toDestinationError))
  }
})

/** A lake's thread and the destination that it serves, until the scope closes. */
export const openLakeDestination = (
  threadEntry: URL,
  config: LakeConfig
): Effect.Effect<Destination, never, Scope.Scope> =>
  Effect.flatMap(makeLakeThread(threadEntry, config), makeLakeDestination)
