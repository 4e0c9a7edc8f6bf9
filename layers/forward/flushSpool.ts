import { Clock, Effect } from "effect"
import { type IcebergError, icebergError } from "../iceberg/IcebergError.ts"
import { onceSuccessful } from "../iceberg/onceSuccessful.ts"
import type { LakeThread } from "../lake/worker/LakeThread.ts"
import type { CallEvent } from "../lake/worker/protocol.ts"
import type { FlushResult } from "../lake/writer/LakeWriter.ts"
import type { Spool, SpoolOptions } from "../spool/Spool.ts"
import { spoolFailure } from "../spool/Spool.ts"
import * as metrics from "./metrics.ts"
import { forgetOpenings, noteOpenings, withOpening } from "./openings.ts"

/** How long a disk may take for noting that a log was opened. */
const NOTE_TIMEOUT = "10 seconds"

/** Brings a log's records up to a position into the lake. Calls must not overlap. */
export type BringIn = (upTo: number) => Effect.Effect<FlushResult, IcebergError>

/** What is needed of a log that was opened. */
export type OpenedSpool = Pick<Spool, "folder" | "id" | "oldest" | "accepted">

/**
 * Brings logs into the lake by its thread; to be asked for each log that was opened, before anything is added to it. Counts
 * commits and what they met, and tells of what is wrong with a log, once: be it that the flush that met it fails, and however
 * often it is met.
 */
export const makeBringIn = Effect.fnUntraced(function* (
  thread: LakeThread,
  filesOf: NonNullable<SpoolOptions["files"]>
): Effect.fn.Return<(spool: OpenedSpool) => Effect.Effect<BringIn>> {
  const context = yield* Effect.context<never>()
  /** What was told, by log. */
  const known = new Set<string>()

  return Effect.fnUntraced(function* ({ accepted, folder, id, oldest }: OpenedSpool) {
    const files = filesOf(folder)
    const attempt = <A>(work: () => Promise<A>) =>
      Effect.tryPromise({ try: work, catch: (error) => spoolFailure(folder, error) })
    let untold: Array<string> = []
    const say = (what: string, message: string): void => {
      if (!known.has(`${id} ${what}`)) untold.push(message)
      known.add(`${id} ${what}`)
    }
    const onEvent = (event: CallEvent): void => {
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
          break
        }
        case "damage": {
          const { from, to } = event.damage
          say(
            `damage ${from}`,
            `The log in ${folder} is damaged from ${from} to ${to}: the records there are lost. Check the disk; the rest is brought in.`
          )
          break
        }
        case "fell back": {
          const { end, watermark } = event.fellBack
          say(
            `fell back ${end}`,
            `The log in ${folder} ended at ${end} when it was opened, the lake has it up to ${watermark}: an earlier copy of the folder was put back, or files in it are gone. What it held then is in the lake, what it takes from now on is brought in. What it took after the copy and had not brought in is lost.`
          )
        }
      }
    }
    const tell = Effect.suspend(() => {
      const messages = untold
      untold = []
      return Effect.forEach(messages, (message) => Effect.logError(message), { discard: true })
    })

    // Not what is durable: what an earlier owner wrote last may have to be written again before it is.
    const opening = { position: accepted(), at: yield* Clock.currentTimeMillis }
    const openings = yield* attempt(() => withOpening(files, opening)).pipe(
      Effect.tap((all) => attempt(() => noteOpenings(files, all))),
      Effect.timeoutOrElse({
        duration: NOTE_TIMEOUT,
        orElse: () => Effect.fail(spoolFailure(folder, new Error(`the disk did not answer within ${NOTE_TIMEOUT}`)))
      }),
      // It is needed if the folder is an earlier copy and the process ends before it has reached the lake.
      Effect.catch(({ message }) => Effect.as(Effect.logWarning(message), [opening]))
    )
    const compared = yield* onceSuccessful(
      thread.call("compare", { id, openings }, onEvent).pipe(
        Effect.andThen(
          Effect.mapError(
            attempt(() => forgetOpenings(files)),
            ({ message }) => icebergError("Unavailable", message)
          )
        )
      )
    )
    return (upTo: number) =>
      Effect.andThen(
        compared,
        Effect.suspend(() => thread.call("flush", { log: { folder, id, oldest }, upTo }, onEvent))
      ).pipe(Effect.ensuring(tell))
  })
})
