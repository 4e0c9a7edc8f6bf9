import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { compactTable } from "../../../../layers/iceberg/maintenance/compact.ts"
import { expireSnapshots } from "../../../../layers/iceberg/maintenance/expire.ts"
import { mergeManifests } from "../../../../layers/iceberg/maintenance/mergeManifests.ts"
import { removeOrphans } from "../../../../layers/iceberg/maintenance/orphans.ts"
import { verifyTable } from "../../../../layers/iceberg/maintenance/verify.ts"
import { dayOf } from "../../../../layers/iceberg/metadata/dayTransform.ts"
import { currentSnapshot, type TableMetadata } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import { manifestsOf } from "../../../../layers/iceberg/table/files.ts"
import { staleWatermarks } from "../../../../layers/lake/watermark.ts"
import { appendEvents, DAY_MS, EVENTS_NAME } from "../../../support/lake/lakeTables.ts"
import { countingEvents, MemoryCatalog } from "../../../support/lake/MemoryCatalog.ts"

setDefaultTimeout(20_000)

const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)
const { events } = countingEvents()
const LOG = { log: "log-a", day: 20_000, count: 5 }

const verified = (catalog: MemoryCatalog) => verifyTable(catalog, EVENTS_NAME, { onProgress: () => {} })
const expectWhole = (catalog: MemoryCatalog, rows: number) =>
  Effect.map(verified(catalog), (found) => expect(found).toMatchObject({ rows, problems: [] }))

/** A table of so many commits of five events each. */
const tableOf = Effect.fnUntraced(function* (commits: number, day = LOG.day) {
  const catalog = new MemoryCatalog()
  for (let index = 0; index < commits; index++) yield* appendEvents(catalog, { ...LOG, day })
  return catalog
})

const manifestsIn = (catalog: MemoryCatalog) =>
  Effect.flatMap(catalog.load(EVENTS_NAME), (table) => manifestsOf(table, currentSnapshot(table.metadata)))

const filesOf = (catalog: MemoryCatalog, part: string) =>
  [...catalog.store.files.keys()].filter((location) => location.includes(part))

const changeMetadata = (catalog: MemoryCatalog, change: (metadata: TableMetadata) => TableMetadata) =>
  Effect.map(catalog.load(EVENTS_NAME), (table) => {
    catalog.tables.set("product_analytics.pa_events", { ...table, metadata: change(table.metadata) })
  })

describe("merging manifests", () => {
  test("leaves one where there were many, and the same rows", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        expect(yield* mergeManifests(catalog, EVENTS_NAME, events, 5)).toEqual({ replaced: 6, created: 1 })
        const manifests = yield* manifestsIn(catalog)
        expect(manifests).toMatchObject([{ addedFiles: 0, existingFiles: 6, existingRows: 30, minSequenceNumber: 1 }])
        expect(currentSnapshot((yield* catalog.load(EVENTS_NAME)).metadata)?.summary).toMatchObject({
          operation: "replace",
          "manifests-created": "1",
          "manifests-replaced": "6",
          "total-records": "30"
        })
        yield* expectWhole(catalog, 30)
      })
    ))

  test("is not begun for a few", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        expect(yield* mergeManifests(catalog, EVENTS_NAME, events, 5)).toEqual({ replaced: 0, created: 0 })
        expect(catalog.commits).toBe(4)
      })
    ))

  test("keeps what a writer commits meanwhile", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        catalog.before = () => {
          catalog.before = () => Effect.void
          return Effect.asVoid(appendEvents(catalog, LOG))
        }
        yield* mergeManifests(catalog, EVENTS_NAME, events, 5)
        expect((yield* manifestsIn(catalog)).length).toBe(2)
        yield* expectWhole(catalog, 35)
      })
    ))

  test("gives way to another one that was faster, and leaves nothing of its own", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        catalog.before = () => {
          catalog.before = () => Effect.void
          return Effect.asVoid(mergeManifests(catalog, EVENTS_NAME, events, 5))
        }
        const refused = yield* Effect.flip(mergeManifests(catalog, EVENTS_NAME, events, 5))
        expect(refused.reason).toBe("Invalid")
        expect(filesOf(catalog, "-m0.avro").length).toBe(7)
        yield* expectWhole(catalog, 30)
      })
    ))
})

describe("compaction", () => {
  const options = { targetBytes: 1 << 20, createdBy: "test", dryRun: false, onProgress: () => {} }

  test("makes one file of a closed day's for each site, with the bounds of all", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        for (let index = 0; index < 4; index++) yield* appendEvents(catalog, { ...LOG, sites: ["site-1", "site-2"] })
        yield* appendEvents(catalog, { ...LOG, day: 20_001 })
        const progress: Array<number> = []
        const compacted = yield* compactTable(
          catalog,
          EVENTS_NAME,
          { ...options, onProgress: ({ done }) => progress.push(done) },
          events
        )
        expect(compacted).toMatchObject({ filesBefore: 8, filesAfter: 2, rows: 40, skipped: null })
        expect(progress).toEqual([1, 2])
        expect(currentSnapshot((yield* catalog.load(EVENTS_NAME)).metadata)?.summary).toMatchObject({
          operation: "replace",
          "added-data-files": "2",
          "deleted-data-files": "8",
          "total-data-files": "3",
          "total-records": "45"
        })
        yield* expectWhole(catalog, 45)
        // The files of before are there for readers of earlier snapshots.
        expect(filesOf(catalog, ".parquet").length).toBe(11)
      })
    ))

  test("never touches today's files, nor yesterday's in the first hour", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3, dayOf(Date.now()))
        expect((yield* compactTable(catalog, EVENTS_NAME, options, events)).filesBefore).toBe(0)
        expect(catalog.commits).toBe(3)
      })
    ))

  test("tells what it would do, and does nothing", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        const told = yield* compactTable(catalog, EVENTS_NAME, { ...options, dryRun: true }, events)
        expect(told).toMatchObject({ filesBefore: 3, filesAfter: 1, rows: 15 })
        expect(catalog.commits).toBe(3)
      })
    ))

  test("leaves large files alone, and fills files up to the target", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        const size = catalog.store.files.get(filesOf(catalog, ".parquet")[0]!)!.length
        const small = yield* compactTable(catalog, EVENTS_NAME, { ...options, targetBytes: size }, events)
        expect(small.filesBefore).toBe(0)
        const pairs = yield* compactTable(catalog, EVENTS_NAME, { ...options, targetBytes: size * 2 + 100 }, events)
        expect(pairs).toMatchObject({ filesBefore: 4, filesAfter: 2 })
        yield* expectWhole(catalog, 20)
      })
    ))

  test("keeps what is committed meanwhile, and gives way to another compaction", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        catalog.before = () => {
          catalog.before = () => Effect.void
          return Effect.asVoid(appendEvents(catalog, LOG))
        }
        yield* compactTable(catalog, EVENTS_NAME, options, events)
        yield* expectWhole(catalog, 20)
        catalog.before = () => {
          catalog.before = () => Effect.void
          return Effect.asVoid(compactTable(catalog, EVENTS_NAME, options, events))
        }
        const refused = yield* Effect.flip(compactTable(catalog, EVENTS_NAME, options, events))
        expect(refused.message).toBe("2 files that were merged are not in table pa_events any more.")
        yield* expectWhole(catalog, 20)
      })
    ))

  test("of a lost file fails and changes nothing", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        catalog.store.files.delete(filesOf(catalog, ".parquet")[1]!)
        yield* Effect.flip(compactTable(catalog, EVENTS_NAME, options, events))
        expect(catalog.commits).toBe(3)
      })
    ))
})

describe("expiry", () => {
  const old = (catalog: MemoryCatalog) =>
    changeMetadata(catalog, (metadata) => ({
      ...metadata,
      snapshots: metadata.snapshots!.map((one) => ({ ...one, "timestamp-ms": one["timestamp-ms"] - DAY_MS }))
    }))
  const options = { maxAgeMs: 3_600_000, minKept: 2, staleProperties: staleWatermarks }

  test("keeps the newest snapshots whatever their age, and no file that they need is removed", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        yield* old(catalog)
        const expired = yield* expireSnapshots(catalog, EVENTS_NAME, options, false)
        expect(expired.snapshots).toBe(4)
        // Appends leave their manifests to those that follow: only the lists go.
        expect(expired.files.every((file) => file.includes("/snap-"))).toBe(true)
        expect(filesOf(catalog, "/snap-").length).toBe(2)
        yield* expectWhole(catalog, 30)
      })
    ))

  test("keeps a snapshot whose successor is young", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        yield* old(catalog)
        yield* appendEvents(catalog, LOG)
        expect((yield* expireSnapshots(catalog, EVENTS_NAME, { ...options, minKept: 1 }, false)).snapshots).toBe(2)
      })
    ))

  test("removes the files that a compaction replaced once nobody reads them", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        yield* compactTable(
          catalog,
          EVENTS_NAME,
          { targetBytes: 1 << 20, createdBy: "test", dryRun: false, onProgress: () => {} },
          events
        )
        yield* appendEvents(catalog, LOG)
        yield* old(catalog)
        const expired = yield* expireSnapshots(catalog, EVENTS_NAME, { ...options, minKept: 1 }, false)
        expect(expired.files.filter((file) => file.endsWith(".parquet")).length).toBe(4)
        expect(filesOf(catalog, ".parquet").length).toBe(2)
        yield* expectWhole(catalog, 25)
      })
    ))

  test("keeps what a tag or another branch points at, and drops references that are past their age", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        yield* changeMetadata(catalog, (metadata) => {
          const ids = metadata.snapshots!.map((one) => one["snapshot-id"])
          return {
            ...metadata,
            refs: {
              ...metadata.refs,
              release: { type: "tag", "snapshot-id": ids[0]! },
              audit: { type: "branch", "snapshot-id": ids[1]!, "min-snapshots-to-keep": 1 },
              gone: { type: "tag", "snapshot-id": ids[2]!, "max-ref-age-ms": 1_000 }
            }
          }
        })
        yield* old(catalog)
        yield* expireSnapshots(catalog, EVENTS_NAME, { ...options, minKept: 1 }, false)
        const { metadata } = yield* catalog.load(EVENTS_NAME)
        expect(metadata.snapshots?.map((one) => one["sequence-number"])).toEqual([1, 2, 4])
        expect(Object.keys(metadata.refs ?? {}).sort()).toEqual(["audit", "main", "release"])
      })
    ))

  test("forgets logs that nothing came from for a quarter of a year", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(1)
        yield* changeMetadata(catalog, (metadata) => ({
          ...metadata,
          properties: {
            ...metadata.properties,
            "footfall.watermark.log-old": `7 ${new Date(Date.now() - 91 * DAY_MS).toISOString()}`,
            "footfall.watermark.log-new": `8 ${new Date(Date.now() - 89 * DAY_MS).toISOString()}`
          }
        }))
        yield* expireSnapshots(catalog, EVENTS_NAME, options, false)
        const { properties } = (yield* catalog.load(EVENTS_NAME)).metadata
        expect(Object.keys(properties).filter((key) => key.startsWith("footfall."))).toEqual([
          "footfall.watermark.log-a",
          "footfall.watermark.log-new"
        ])
      })
    ))

  test("tells what it would remove, and removes nothing; a lost answer removes nothing either", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        yield* old(catalog)
        const files = catalog.store.files.size
        expect((yield* expireSnapshots(catalog, EVENTS_NAME, options, true)).snapshots).toBe(2)
        catalog.fates = ["committed, answer lost"]
        expect((yield* Effect.flip(expireSnapshots(catalog, EVENTS_NAME, options, false))).reason).toBe("Unknown")
        expect(catalog.store.files.size).toBe(files)
        yield* expectWhole(catalog, 20)
      })
    ))
})

describe("orphans", () => {
  const AGE = 3 * DAY_MS

  test("are files that no snapshot names and that are old; whatever the table names stays", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        catalog.store.now = Date.now() - 10 * DAY_MS
        yield* appendEvents(catalog, LOG)
        const { location } = (yield* catalog.load(EVENTS_NAME)).metadata
        const lost = [`${location}/data/lost.parquet`, `${location}/metadata/lost-m0.avro`]
        for (const file of lost) yield* catalog.store.write(file, Buffer.from("x"))
        yield* catalog.store.write(`${location}/metadata/version-hint.text`, Buffer.from("1"))
        catalog.store.now = Date.now()
        yield* catalog.store.write(`${location}/data/young.parquet`, Buffer.from("x"))
        yield* compactTable(
          catalog,
          EVENTS_NAME,
          { targetBytes: 1 << 20, createdBy: "test", dryRun: false, onProgress: () => {} },
          events
        )

        const told = yield* removeOrphans(catalog, EVENTS_NAME, AGE, true)
        expect(told.files.map((file) => file.location).sort()).toEqual(lost)
        expect(catalog.store.files.has(lost[0]!)).toBe(true)
        yield* removeOrphans(catalog, EVENTS_NAME, AGE, false)
        expect(lost.some((file) => catalog.store.files.has(file))).toBe(false)
        expect(catalog.store.files.has(`${location}/data/young.parquet`)).toBe(true)
        expect(catalog.store.files.has(`${location}/metadata/version-hint.text`)).toBe(true)
        yield* expectWhole(catalog, 5)
      })
    ))

  test("are not files that come into use while they are looked for", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* appendEvents(catalog, LOG)
        catalog.store.now = Date.now() - 10 * DAY_MS
        const list = catalog.store.list
        catalog.store.list = (folder) => {
          catalog.store.list = list
          // Listed with a file on it whose commit comes only now.
          Effect.runSync(appendEvents(catalog, LOG) as Effect.Effect<unknown>)
          return list(folder)
        }
        expect((yield* removeOrphans(catalog, EVENTS_NAME, AGE, false)).files).toEqual([])
        yield* expectWhole(catalog, 10)
      })
    ))
})

describe("verification", () => {
  test("finds nothing wrong with a table that is whole", () =>
    run(
      Effect.gen(function* () {
        const found = yield* verified(yield* tableOf(3))
        expect(found).toMatchObject({ files: 3, rows: 15, problems: [] })
      })
    ))

  test("tells a missing, a damaged, and another file in place of one", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        const [missing, damaged, swapped] = filesOf(catalog, ".parquet") as [string, string, string]
        yield* appendEvents(catalog, { ...LOG, count: 9 })
        const other = filesOf(catalog, ".parquet").at(-1)!
        catalog.store.files.delete(missing)
        const bytes = Uint8Array.from(catalog.store.files.get(damaged)!)
        bytes.fill(0, bytes.length - 500)
        catalog.store.files.set(damaged, bytes)
        catalog.store.files.set(swapped, catalog.store.files.get(other)!)
        const problems = (yield* verified(catalog)).problems.join("\n")
        expect(problems).toContain(`${missing}: it is missing`)
        expect(problems).toContain(`${damaged}: it can't be read`)
        expect(problems).toMatch(new RegExp(`${swapped}: it has \\d+ bytes, the manifest says \\d+`))
        expect(problems).toContain(`${swapped}: it has 9 rows, the manifest says 5`)
        expect(problems).toMatch(/values of column received_at are outside the manifest's bounds/)
      })
    ))

  test("tells totals of the summary that are wrong", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(2)
        yield* changeMetadata(catalog, (metadata) => ({
          ...metadata,
          snapshots: metadata.snapshots!.map((one) => ({ ...one, summary: { ...one.summary, "total-records": "11" } }))
        }))
        expect((yield* verified(catalog)).problems).toEqual(["pa_events: total-records is 11, counted 10"])
      })
    ))
})
