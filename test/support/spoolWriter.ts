import { Effect } from "effect"
import { openSpool } from "../../layers/spool/Spool.ts"

/** Appends numbered records to the log of a folder as fast as it takes them, and prints the number of each that it acknowledges. */
const [folder = "", first = "0"] = process.argv.slice(2)
const WRITERS = 16

const program = Effect.gen(function* () {
  const spool = yield* openSpool({
    folder,
    maxPending: 1_000,
    maxBytes: 2 ** 30,
    timeoutMs: 10_000,
    segmentBytes: 1 << 20
  })
  let next = Number(first)
  const write = Effect.gen(function* () {
    const number = next++
    yield* spool.append(`${number} ${"x".repeat(number % 700)}`)
    process.stdout.write(`${number}\n`)
  })
  yield* Effect.all(
    Array.from({ length: WRITERS }, () => Effect.forever(write)),
    { concurrency: "unbounded" }
  )
}).pipe(Effect.scoped)

void Effect.runPromise(program)
