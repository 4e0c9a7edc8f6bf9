import { Effect } from "effect"
import { openSpool, type SpoolOptions } from "../spool/Spool.ts"
import type { FlushableSpool, FlushSpool } from "./makeFlushSpool.ts"

/** Flushes and trims the spool of a collector that is gone. Does nothing when another process uses it. */
export const adoptSpool = Effect.fnUntraced(function* (
  folder: string,
  options: Omit<SpoolOptions, "folder">,
  flushSpool: (spool: FlushableSpool) => Effect.Effect<FlushSpool>
) {
  const opened = yield* Effect.result(openSpool({ ...options, folder, ahead: false }))
  if (opened._tag === "Failure") {
    if (opened.failure.reason !== "Locked") yield* Effect.logWarning(opened.failure.message)
    return
  }
  const spool = opened.success
  const upTo = spool.durable()
  if (upTo <= spool.oldest) return
  const flush = yield* flushSpool(spool)
  let rows = 0
  for (let position = spool.oldest; position < upTo; ) {
    const written = yield* flush(upTo)
    yield* spool.trim(written.position)
    position = written.position
    rows += written.rows
  }
  if (rows > 0) yield* Effect.logInfo(`Flushed ${rows} rows that another collector left in ${folder}.`)
}, Effect.scoped)
