import { Effect } from "effect"
import { openSpool, type Spool, type SpoolOptions } from "../spool/Spool.ts"
import type { FlushSpool } from "./makeFlushSpool.ts"

/**
 * Flushes and trims the spool of a collector that is gone. Returns its id if nothing is left in it now; null otherwise. Does nothing when
 * another process uses it.
 */
export const adoptSpool = Effect.fnUntraced(function* (
  folder: string,
  options: Omit<SpoolOptions, "folder">,
  flushSpool: (spool: Spool) => Effect.Effect<FlushSpool>
) {
  const opened = yield* Effect.result(openSpool({ ...options, folder, ahead: false }))
  if (opened._tag === "Failure") {
    if (opened.failure.reason !== "Locked") yield* Effect.logWarning(opened.failure.message)
    return null
  }
  const spool = opened.success
  const upTo = spool.durable()
  const flush = upTo > spool.oldest ? yield* flushSpool(spool) : null
  let rows = 0
  for (let position = spool.oldest; flush !== null && position < upTo; ) {
    const written = yield* flush(upTo)
    yield* spool.trim(written.position)
    position = written.position
    rows += written.rows
  }
  if (rows > 0) yield* Effect.logInfo(`Flushed ${rows} rows that another collector left in ${folder}.`)
  return flush !== null && spool.acknowledged() <= upTo ? spool.id : null
}, Effect.scoped)
