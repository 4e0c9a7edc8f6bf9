import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import type { MetadataFiles } from "../../../../layers/iceberg/catalog/metadataFiles.ts"
import { type Pointer, swapPointer } from "../../../../layers/iceberg/catalog/swapPointer.ts"
import { icebergError } from "../../../../layers/iceberg/IcebergError.ts"
import type { TableMetadata } from "../../../../layers/iceberg/metadata/TableMetadata.ts"

/** What happens to one request of a committer. */
type Weather = "fair" | "lost before" | "lost after" | "unread"

/** A pointer that everybody swaps, whose history is the truth. */
class Lake {
  current = "base"
  readonly history = ["base"]
  /** Entries of the metadata log. */
  readonly logLength: number
  readonly written = new Map<string, TableMetadata>()

  constructor(logLength: number) {
    this.logLength = logLength
  }

  write(location: string): void {
    const log = this.history.slice(-this.logLength).map((file) => ({ "timestamp-ms": 0, "metadata-file": file }))
    this.written.set(location, { "metadata-log": log } as unknown as TableMetadata)
  }

  swap(base: string | null, ours: string): boolean {
    if (this.current !== base) return false
    this.current = ours
    this.history.push(ours)
    return true
  }

  pointer(weather: () => Weather): Pointer {
    return {
      read: Effect.suspend(() =>
        weather() === "unread" ? Effect.fail(icebergError("Unavailable", "rain")) : Effect.succeed(this.current)
      ),
      swap: (base, ours) =>
        Effect.suspend(() => {
          const now = weather()
          if (now === "lost before") return Effect.fail(icebergError("Unknown", "rain"))
          const swapped = this.swap(base, ours)
          return now === "lost after" ? Effect.fail(icebergError("Unknown", "rain")) : Effect.succeed(swapped)
        }).pipe(Effect.tap(Effect.yieldNow))
    }
  }

  readonly files: MetadataFiles = {
    read: (location) =>
      Effect.suspend(() => {
        const found = this.written.get(location)
        return found === undefined ? Effect.fail(icebergError("NotFound", location)) : Effect.succeed(found)
      }),
    write: () => Effect.void
  }
}

const inRain = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    for (let second = 0; second < 20 && fiber.pollUnsafe() === undefined; second++) {
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 seconds")
    }
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise)

const weather = fc.constantFrom<Weather>("fair", "fair", "lost before", "lost after", "unread")

test("whatever gets lost, a success is in the history, a conflict is not, and a certain one may be tidied up", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ sky: fc.array(weather, { maxLength: 8 }), others: fc.nat(3) }), {
        minLength: 1,
        maxLength: 6
      }),
      fc.integer({ min: 1, max: 5 }),
      async (committers, logLength) => {
        const lake = new Lake(logLength)
        let names = 0
        const commitOne = (others: number, sky: ReadonlyArray<Weather>) =>
          Effect.gen(function* () {
            const base = lake.current
            const ours = `ours ${names++}`
            lake.write(ours)
            let asked = 0
            const skyNow = (): Weather => {
              // Others get in between: before the swap, or after it and before it is looked at.
              for (let count = 0; asked === 1 && count < others; count++) {
                const theirs = `theirs ${names++}`
                lake.write(theirs)
                lake.swap(lake.current, theirs)
              }
              return sky[asked++] ?? "fair"
            }
            const result = yield* Effect.result(
              swapPointer({ pointer: lake.pointer(skyNow), files: lake.files, base, ours, snapshots: [] })
            )
            const committed = lake.history.includes(ours)
            if (result._tag === "Success" && result.success._tag === "Swapped") expect(committed).toBe(true)
            if (result._tag === "Success" && result.success._tag === "Lost") expect(committed).toBe(false)
            if (result._tag === "Failure") expect(result.failure.reason).toBe("Unknown")
          })
        await inRain(
          Effect.forEach(committers, ({ others, sky }) => commitOne(others, sky), { concurrency: 3, discard: true })
        )
        expect(new Set(lake.history).size).toBe(lake.history.length)
      }
    ),
    { numRuns: 500 }
  ))

test("a pointer that can't be read is read at once and after 1, 2 and 4 s, then it is unknown", async () => {
  const lake = new Lake(100)
  lake.write("ours")
  let reads = 0
  const error = await inRain(
    Effect.flip(
      swapPointer({
        pointer: {
          read: Effect.suspend(() => {
            reads++
            return Effect.fail(icebergError("Unavailable", "the database is down"))
          }),
          swap: () => Effect.fail(icebergError("Unknown", "cut"))
        },
        files: lake.files,
        base: "base",
        ours: "ours",
        snapshots: []
      })
    )
  )
  expect([error.reason, reads]).toEqual(["Unknown", 4])
  expect(error.message).toBe("Whether ours was committed is not known: the database is down")
})

test("a swap that certainly was not made fails at once as it is", async () => {
  const lake = new Lake(100)
  const pointer: Pointer = {
    read: Effect.die("is not read"),
    swap: () => Effect.fail(icebergError("Denied", "no permission"))
  }
  const error = await inRain(
    Effect.flip(swapPointer({ pointer, files: lake.files, base: "base", ours: "ours", snapshots: [] }))
  )
  expect(error.reason).toBe("Denied")
})
