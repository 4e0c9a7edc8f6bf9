import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import type { MetadataFiles } from "../../../../layers/iceberg/catalog/metadataFiles.ts"
import { type Pointer, swapPointer } from "../../../../layers/iceberg/catalog/swapPointer.ts"
import { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import type { TableMetadata } from "../../../../layers/iceberg/metadata/TableMetadata.ts"

/** What happens to one request of a writer. */
type Fate = "ok" | "request lost" | "response lost" | "read fails"

/** A pointer that several writers swap, with its true history. */
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

  pointer(nextFate: () => Fate): Pointer {
    return {
      read: Effect.suspend(() =>
        nextFate() === "read fails" ? Effect.fail(IcebergError.unavailable("down")) : Effect.succeed(this.current)
      ),
      swap: (base, ours) =>
        Effect.suspend(() => {
          const fate = nextFate()
          if (fate === "request lost") return Effect.fail(IcebergError.unknown("cut"))
          const swapped = this.swap(base, ours)
          return fate === "response lost" ? Effect.fail(IcebergError.unknown("cut")) : Effect.succeed(swapped)
        }).pipe(Effect.tap(Effect.yieldNow))
    }
  }

  readonly files: MetadataFiles = {
    read: (location) =>
      Effect.suspend(() => {
        const found = this.written.get(location)
        return found === undefined ? Effect.fail(IcebergError.notFound(location)) : Effect.succeed(found)
      }),
    write: () => Effect.void
  }
}

const withPassingTime = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    for (let second = 0; second < 20 && fiber.pollUnsafe() === undefined; second++) {
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 seconds")
    }
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(TestClock.layer()), Effect.runPromise)

const fate = fc.constantFrom<Fate>("ok", "ok", "request lost", "response lost", "read fails")

test("whatever is lost, an applied swap is in the pointer's history and a superseded one is not", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ fates: fc.array(fate, { maxLength: 8 }), others: fc.nat(3) }), {
        minLength: 1,
        maxLength: 6
      }),
      fc.integer({ min: 1, max: 5 }),
      async (committers, logLength) => {
        const lake = new Lake(logLength)
        let names = 0
        const commitOne = (others: number, fates: ReadonlyArray<Fate>) =>
          Effect.gen(function* () {
            const base = lake.current
            const ours = `ours ${names++}`
            lake.write(ours)
            let requests = 0
            const nextFate = (): Fate => {
              // Other writers commit before the swap, or between the swap and its check.
              for (let count = 0; requests === 1 && count < others; count++) {
                const theirs = `theirs ${names++}`
                lake.write(theirs)
                lake.swap(lake.current, theirs)
              }
              return fates[requests++] ?? "ok"
            }
            const result = yield* Effect.result(
              swapPointer({ pointer: lake.pointer(nextFate), files: lake.files, base, ours, snapshots: [] })
            )
            const committed = lake.history.includes(ours)
            if (result._tag === "Success" && result.success._tag === "Applied") expect(committed).toBe(true)
            if (result._tag === "Success" && result.success._tag === "Superseded") expect(committed).toBe(false)
            if (result._tag === "Failure") expect(result.failure.reason).toBe("Unknown")
          })
        await withPassingTime(
          Effect.forEach(committers, ({ fates, others }) => commitOne(others, fates), { concurrency: 3, discard: true })
        )
        expect(new Set(lake.history).size).toBe(lake.history.length)
      }
    ),
    { numRuns: 500 }
  ))

test("a pointer that cannot be read is read at once and after 1, 2 and 4 more seconds, then the outcome is unknown", async () => {
  const lake = new Lake(100)
  lake.write("ours")
  let reads = 0
  const error = await withPassingTime(
    Effect.flip(
      swapPointer({
        pointer: {
          read: Effect.suspend(() => {
            reads++
            return Effect.fail(IcebergError.unavailable("the database is down"))
          }),
          swap: () => Effect.fail(IcebergError.unknown("cut"))
        },
        files: lake.files,
        base: "base",
        ours: "ours",
        snapshots: []
      })
    )
  )
  expect([error.reason, reads]).toEqual(["Unknown", 4])
  expect(error.message).toBe("It is unknown whether ours was committed: the database is down")
})

test("a swap that certainly failed is not checked", async () => {
  const lake = new Lake(100)
  const pointer: Pointer = {
    read: Effect.die("the pointer must not be read"),
    swap: () => Effect.fail(IcebergError.denied("no permission"))
  }
  const error = await withPassingTime(
    Effect.flip(swapPointer({ pointer, files: lake.files, base: "base", ours: "ours", snapshots: [] }))
  )
  expect(error.reason).toBe("Denied")
})
