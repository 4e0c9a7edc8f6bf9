import { writeSync } from "node:fs"
import { Effect } from "effect"
import { openSpool } from "../../../layers/spool/Spool.ts"

/*
 * Appends records to the spool in a folder until it is killed, many at the same time, and prints the number of each acknowledged
 * record on a line: what is in the pipe survives this process.
 *
 *     bun appendingProcess.ts FOLDER FIRST_NUMBER
 */
const [folder, first] = [process.argv[2]!, Number(process.argv[3])]
/** Concurrent appends. */
const CONCURRENCY = 64
/** Small segments, so that kills also happen during rotations. */
const SEGMENT_BYTES = 256 << 10

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const spool = yield* openSpool({
        folder,
        maxPending: 1_000,
        maxBytes: 1 << 30,
        timeoutMs: 10_000,
        segmentBytes: SEGMENT_BYTES
      })
      let next = first
      yield* Effect.all(
        Array.from({ length: CONCURRENCY }, () =>
          Effect.forever(
            Effect.suspend(() => {
              const number = next++
              return Effect.tap(spool.append(`${number} ${"x".repeat(number % 900)}`), () =>
                Effect.sync(() => writeSync(1, `${number}\n`))
              )
            })
          )
        ),
        { concurrency: "unbounded" }
      )
    })
  )
)
