import { writeSync } from "node:fs"
import { Effect } from "effect"
import { openSpool } from "../../../layers/spool/Spool.ts"

/*
 * Appends to the log in a folder until it is killed, many records at once, and prints the number of each that was acknowledged, a
 * line each: what is in the pipe survives this process.
 *
 *     bun appendingProcess.ts FOLDER FIRST_NUMBER
 */
const [folder, first] = [process.argv[2]!, Number(process.argv[3])]
/** Appends on their way. */
const LANES = 64
/** Small files, so that a kill meets changes of file too. */
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
        Array.from({ length: LANES }, () =>
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
