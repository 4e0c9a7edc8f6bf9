import { describe, expect, test } from "bun:test"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { verifyTable } from "../../../../layers/iceberg/maintenance/verify.ts"
import { currentSnapshot } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import { commitSnapshot } from "../../../../layers/iceberg/table/commit.ts"
import { manifestsOf } from "../../../../layers/iceberg/table/files.ts"
import { watermarkOf } from "../../../../layers/lake/watermark.ts"
import { prepareAppend } from "../../../../layers/lake/writer/snapshotChanges.ts"
import { appendEvents, EVENTS_NAME, openEvents, writeEvents } from "../../../support/lake/lakeTables.ts"
import { countingEvents, type Fate, MemoryCatalog } from "../../../support/lake/MemoryCatalog.ts"

const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)

const rowsIn = (catalog: MemoryCatalog) =>
  Effect.map(verifyTable(catalog, EVENTS_NAME, { onProgress: () => {} }), (verified) => {
    expect(verified.problems).toEqual([])
    return verified.rows
  })

/** Runs without waiting for the waits. */
const patient = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* Effect.forkChild(Effect.forever(Effect.andThen(TestClock.adjust("10 seconds"), Effect.yieldNow)))
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(TestClock.layer()))

const LOG = { log: "log-a", day: 20_000, count: 3 }

describe("a commit", () => {
  test("adds its files to those that are there, with the next sequence number and right totals", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* appendEvents(catalog, LOG)
        const table = yield* appendEvents(catalog, { ...LOG, day: 20_001, count: 4, sites: ["s-1", "s-2"] })
        const snapshot = currentSnapshot(table.metadata)!
        expect(snapshot).toMatchObject({
          "sequence-number": 2,
          "parent-snapshot-id": table.metadata.snapshots![0]!["snapshot-id"],
          summary: {
            operation: "append",
            "added-data-files": "2",
            "added-records": "8",
            "changed-partition-count": "2",
            "total-records": "11",
            "total-data-files": "3",
            "total-delete-files": "0"
          }
        })
        const sizes = [...catalog.store.files].filter(([location]) => location.endsWith(".parquet"))
        expect(snapshot.summary["total-files-size"]).toBe(
          String(sizes.reduce((sum, [, { length }]) => sum + length, 0))
        )
        expect((yield* manifestsOf(table, snapshot)).map((manifest) => manifest.sequenceNumber)).toEqual([2, 1])
        expect(yield* rowsIn(catalog)).toBe(11)
      })
    ))

  test("brings the log's watermark with its rows, in the table's properties and in the snapshot's summary", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        const table = yield* appendEvents(catalog, LOG)
        expect(watermarkOf(table.metadata, "log-a")).toBe(1)
        expect(watermarkOf(table.metadata, "log-b")).toBe(0)
        expect(currentSnapshot(table.metadata)?.summary["footfall.watermark.log-a"]).toMatch(/^1 \d{4}-/)
      })
    ))

  test("that meets another writer's is built anew on top of it, its data files and its manifest written once", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* appendEvents(catalog, LOG)
        const { counts, events } = countingEvents()
        let others = 2
        catalog.before = () =>
          others-- > 0 ? Effect.asVoid(appendEvents(catalog, { ...LOG, log: `other-${others}` })) : Effect.void
        yield* appendEvents(catalog, LOG, events)
        expect(counts.conflicts).toBeGreaterThan(0)
        expect(yield* rowsIn(catalog)).toBe(12)
        const files = [...catalog.store.files.keys()]
        expect(files.filter((file) => file.endsWith(".parquet")).length).toBe(4)
        expect(files.filter((file) => file.endsWith("-m0.avro")).length).toBe(4)
        // Lists of tries that surely came to nothing are gone.
        expect(files.filter((file) => file.includes("/snap-")).length).toBe(4)
      })
    ))

  test("whose answer is lost is looked for before anything else, and is in once", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* openEvents(catalog)
        const { counts, events } = countingEvents()
        catalog.fates = ["committed, answer lost"]
        yield* appendEvents(catalog, LOG, events)
        expect(counts).toEqual({ conflicts: 0, unknown: 1 })
        expect(catalog.commits).toBe(1)
        expect(yield* rowsIn(catalog)).toBe(3)
      })
    ))

  test("that was lost on its way is sent again", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* openEvents(catalog)
        catalog.fates = ["lost", "refused as a conflict", "lost"]
        yield* appendEvents(catalog, LOG)
        expect(yield* rowsIn(catalog)).toBe(3)
      })
    ))

  test("of unknown outcome that gives up deletes nothing, and the same change goes in later, once", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        const writable = yield* openEvents(catalog)
        const files = yield* writeEvents(writable, 20_000, 3)
        const change = yield* prepareAppend(writable, files, { spoolId: "log-a", watermark: 0, upTo: 5 })
        const { events } = countingEvents()
        catalog.fates = Array.from({ length: 40 }, (): Fate => "lost")
        const first = yield* patient(
          Effect.result(commitSnapshot(catalog, EVENTS_NAME, change, events, writable.table))
        )
        expect(Result.isFailure(first) && first.failure.reason).toBe("Unknown")
        expect([...catalog.store.files.keys()].filter((file) => file.includes("/snap-")).length).toBeGreaterThan(1)
        catalog.fates = ["committed, answer lost"]
        yield* commitSnapshot(catalog, EVENTS_NAME, change, events)
        yield* commitSnapshot(catalog, EVENTS_NAME, change, events)
        expect(catalog.commits).toBe(1)
        expect(yield* rowsIn(catalog)).toBe(3)
      })
    ))

  test("of a part of the log that overlaps one that got in meanwhile is refused, as its rows may be there", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        const writable = yield* openEvents(catalog)
        const { events } = countingEvents()
        const early = yield* prepareAppend(writable, yield* writeEvents(writable, 20_000, 3), {
          spoolId: "log-a",
          watermark: 0,
          upTo: 5
        })
        const late = yield* prepareAppend(writable, yield* writeEvents(writable, 20_000, 6), {
          spoolId: "log-a",
          watermark: 0,
          upTo: 9
        })
        yield* commitSnapshot(catalog, EVENTS_NAME, early, events)
        const refused = yield* Effect.flip(commitSnapshot(catalog, EVENTS_NAME, late, events))
        expect(refused.reason).toBe("Invalid")
        expect(yield* rowsIn(catalog)).toBe(3)
      })
    ))

  test("on a table that was made anew under the same name is refused", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        const writable = yield* openEvents(catalog)
        const change = yield* prepareAppend(writable, [], { spoolId: "log-a", watermark: 0, upTo: 5 })
        catalog.tables.clear()
        yield* openEvents(catalog)
        const { events } = countingEvents()
        const refused = yield* Effect.flip(commitSnapshot(catalog, EVENTS_NAME, change, events, writable.table))
        expect(refused).toMatchObject({ reason: "Invalid", message: expect.stringContaining("was replaced") })
      })
    ))

  test("stays newer than what is there when the clock is set back", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        catalog.now = Date.now() + 3_600_000
        const before = yield* appendEvents(catalog, LOG)
        catalog.now = 0
        const after = yield* appendEvents(catalog, LOG)
        expect(currentSnapshot(after.metadata)!["timestamp-ms"]).toBeGreaterThanOrEqual(
          before.metadata["last-updated-ms"]
        )
      })
    ))

  test("of several writers, whatever becomes of each try, is in once for each", async () => {
    const fates = fc.array(
      fc.constantFrom<Fate>("committed", "committed, answer lost", "lost", "refused as a conflict"),
      { maxLength: 12 }
    )
    await fc.assert(
      fc.asyncProperty(fates, fc.integer({ min: 1, max: 4 }), (given, writers) =>
        run(
          Effect.gen(function* () {
            const catalog = new MemoryCatalog()
            yield* openEvents(catalog)
            catalog.fates = [...given]
            yield* Effect.forEach(
              Array.from({ length: writers }, (_, index) => index),
              (index) =>
                Effect.forEach([1, 2], () => appendEvents(catalog, { ...LOG, log: `log-${index}` }), { discard: true }),
              { concurrency: "unbounded", discard: true }
            )
            expect(yield* rowsIn(catalog)).toBe(writers * 2 * 3)
            expect(catalog.commits).toBe(writers * 2)
          })
        )
      ),
      { numRuns: 25 }
    )
  }, 60_000)
})
