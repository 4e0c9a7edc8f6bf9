import { describe, expect, test } from "bun:test"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { compactTable } from "../../../../layers/iceberg/maintenance/compact.ts"
import { mergeManifests } from "../../../../layers/iceberg/maintenance/mergeManifests.ts"
import { verifyTable } from "../../../../layers/iceberg/maintenance/verify.ts"
import { readManifestList } from "../../../../layers/iceberg/manifest/manifestList.ts"
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

/** Runs an effect while time passes quickly. */
const withoutDelays = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* Effect.forkChild(Effect.forever(Effect.andThen(TestClock.adjust("10 seconds"), Effect.yieldNow)))
    return yield* Fiber.join(fiber)
  }).pipe(Effect.provide(TestClock.layer()))

const LOG = { log: "log-a", day: 20_000, count: 3 }

describe("a commit", () => {
  test("a commit adds its files to the existing ones, with the next sequence number and correct totals", () =>
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

  test("a commit of rows also sets the spool's watermark, in the table's properties and the snapshot's summary", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        const table = yield* appendEvents(catalog, LOG)
        expect(watermarkOf(table.metadata, "log-a")).toBe(1)
        expect(watermarkOf(table.metadata, "log-b")).toBe(0)
        expect(currentSnapshot(table.metadata)?.summary["footfall.watermark.log-a"]).toMatch(/^1 \d{4}-/)
      })
    ))

  test("a commit to a table that was upgraded to version 3 gives each row an id, and maintenance keeps the ids", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        for (let index = 0; index < 2; index++) yield* appendEvents(catalog, LOG)
        const old = yield* catalog.load(EVENTS_NAME)
        catalog.tables.set("product_analytics.pa_events", {
          ...old,
          metadata: { ...old.metadata, "format-version": 3, "next-row-id": 0 }
        })
        yield* appendEvents(catalog, { ...LOG, count: 4 })
        const { metadata, store } = yield* appendEvents(catalog, { ...LOG, count: 5 })
        expect(metadata["next-row-id"]).toBe(15)
        const rowIds = metadata.snapshots?.map((snapshot) => [snapshot["first-row-id"], snapshot["added-rows"]])
        expect(rowIds).toEqual([
          [undefined, undefined],
          [undefined, undefined],
          [0, 10],
          [10, 5]
        ])
        const list = currentSnapshot(metadata)!["manifest-list"]
        const manifests = Result.getOrThrow(readManifestList(yield* store.read(list), list))
        // The newest manifest comes first; those of version 2 got their ids after the first one of version 3.
        expect(manifests.map(({ addedRows, firstRowId }) => [addedRows, firstRowId])).toEqual([
          [5, 10],
          [4, 0],
          [3, 4],
          [3, 7]
        ])
        const options = { targetBytes: 1 << 20, createdBy: "test", dryRun: false, onProgress: () => {} }
        expect((yield* compactTable(catalog, EVENTS_NAME, options, countingEvents().events)).skipped).toContain(
          "pa_events has format version 3"
        )
        expect(yield* mergeManifests(catalog, EVENTS_NAME, countingEvents().events, 2)).toEqual({
          replaced: 0,
          created: 0
        })
        expect(yield* rowsIn(catalog)).toBe(15)
      })
    ))

  test("a commit to a table with many manifests looks up the oldest and newest of them, and notices an emptied bucket", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        for (let index = 0; index < 60; index++) yield* appendEvents(catalog, LOG)
        let heads = 0
        const head = catalog.store.head
        catalog.store.head = (location) => {
          heads++
          return head(location)
        }
        yield* appendEvents(catalog, LOG)
        expect(heads).toBe(8)
        const list = currentSnapshot((yield* catalog.load(EVENTS_NAME)).metadata)!["manifest-list"]
        const manifests = Result.getOrThrow(readManifestList(yield* catalog.store.read(list), list))
        for (const { location } of manifests.slice(40)) catalog.store.files.delete(location)
        expect((yield* Effect.flip(appendEvents(catalog, LOG))).message).toContain("is missing, so nothing is added")
      })
    ))

  test("a commit that conflicts with another writer's is rebuilt on top of it without writing its data files and manifest again", () =>
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
        // The manifest lists of attempts that definitely failed are removed.
        expect(files.filter((file) => file.includes("/snap-")).length).toBe(4)
      })
    ))

  test("a commit whose response is lost is found in the table and is applied once", () =>
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

  test("a commit that is lost on its way is sent again", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* openEvents(catalog)
        catalog.fates = ["lost", "refused as a conflict", "lost"]
        yield* appendEvents(catalog, LOG)
        expect(yield* rowsIn(catalog)).toBe(3)
      })
    ))

  test("a commit whose outcome stays unknown deletes nothing, and the same change is applied once when committed again", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        const writable = yield* openEvents(catalog)
        const files = yield* writeEvents(writable, 20_000, 3)
        const change = yield* prepareAppend(writable, files, { spoolId: "log-a", watermark: 0, upTo: 5 })
        const { events } = countingEvents()
        catalog.fates = Array.from({ length: 40 }, (): Fate => "lost")
        const first = yield* withoutDelays(
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

  test("a commit that overlaps another range of the same spool is refused, because its rows may already be in the table", () =>
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

  test("a commit to a table that was dropped and recreated under the same name is refused", () =>
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

  test("a commit does not get an older timestamp than the table when the clock is set back", () =>
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

  test("concurrent commits of several writers are each applied once, whatever happens to their attempts", async () => {
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
  }, 180_000)
})
