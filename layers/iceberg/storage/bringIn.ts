import { Effect } from "effect"
import type { Spool } from "../../spool/Spool.ts"
import type { Damage } from "../../spool/scan.ts"
import type { IcebergError } from "../IcebergError.ts"
import type { LakeThread } from "../worker/LakeThread.ts"
import type { CallEvent } from "../worker/protocol.ts"
import type { FlushResult } from "../writer/LakeWriter.ts"
import * as metrics from "./metrics.ts"

/** Brings a log's records up to a position into the lake. Calls must not overlap. */
export type BringIn = (upTo: number) => Effect.Effect<FlushResult, IcebergError>

/** What a process needs of a log that it has opened. */
export type OpenedLog = Pick<Spool, "folder" | "id" | "oldest">

/**
 * Brings logs into the lake by its thread. Counts what commits met, and tells of damage, once: be it that the flush that met it
 * fails, and however often the log is read there again.
 */
export const makeBringIn = Effect.fnUntraced(function* (
  thread: LakeThread
): Effect.fn.Return<(log: OpenedLog) => BringIn> {
  const context = yield* Effect.context<never>()
  /** Where damage begins that was told of, by log. */
  const known = new Set<string>()

  return ({ folder, id, oldest }) => {
    let found: Array<Damage> = []
    const onEvent = (event: CallEvent): void => {
      if (event.kind === "conflict") metrics.lakeConflicts.updateUnsafe(1, context)
      else if (event.kind === "unknown") metrics.lakeUnknown.updateUnsafe(1, context)
      else {
        const place = `${id} ${event.damage.from}`
        if (!known.has(place)) found.push(event.damage)
        known.add(place)
      }
    }
    const tellDamages = Effect.suspend(() => {
      const damages = found
      found = []
      return Effect.forEach(
        damages,
        ({ from, to }) =>
          Effect.logError(
            `The log in ${folder} is damaged from ${from} to ${to}: the records there are lost. Check the disk; the rest is brought in.`
          ),
        { discard: true }
      )
    })
    return (upTo) => Effect.ensuring(thread.call("flush", { log: { folder, id, oldest }, upTo }, onEvent), tellDamages)
  }
})
