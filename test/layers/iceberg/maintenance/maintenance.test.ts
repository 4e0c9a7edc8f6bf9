import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { compactTable } from "../../../../layers/iceberg/maintenance/compact.ts"
import { expireSnapshots } from "../../../../layers/iceberg/maintenance/expire.ts"
import { mergeManifests } from "../../../../layers/iceberg/maintenance/mergeManifests.ts"
import { removeOrphans } from "../../../../layers/iceberg/maintenance/orphans.ts"
import { verifyTable } from "../../../../layers/iceberg/maintenance/verify.ts"
import { dayOf } from "../../../../layers/iceberg/metadata/dayTransform.ts"
import { currentSnapshot, type TableMetadata } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import { entriesOf, manifestsOf } from "../../../../layers/iceberg/table/files.ts"
import { newLakeTable, PA_SESSIONS } from "../../../../layers/lake/schema.ts"
import { staleWatermarks } from "../../../../layers/lake/watermark.ts"
import { appendDeletes, appendEvents, DAY_MS, EVENTS_NAME } from "../../../support/lake/lakeTables.ts"
import { countingEvents, MemoryCatalog } from "../../../support/lake/MemoryCatalog.ts"

setDefaultTimeout(180_000)

const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)
const { events } = countingEvents()
/** Of `pa_events`; 35 is the map of 36 and 37. */
const COLUMN_IDS = Array.from({ length: 37 }, (_, index) => index + 1).filter((id) => id !== 35)
const LOG = { log: "log-a", day: 20_000, count: 5 }

const verified = (catalog: MemoryCatalog) => verifyTable(catalog, EVENTS_NAME, { onProgress: () => {} })
const expectWhole = (catalog: MemoryCatalog, rows: number) =>
  Effect.map(verified(catalog), (found) => expect(found).toMatchObject({ rows, problems: [] }))

/** A table with `commits` commits of five events each. */
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
  test("merging manifests leaves one of many, with the same rows", () =>
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

  test("a few manifests are not merged", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        expect(yield* mergeManifests(catalog, EVENTS_NAME, events, 5)).toEqual({ replaced: 0, created: 0 })
        expect(catalog.commits).toBe(4)
      })
    ))

  test("merging manifests keeps a commit that a writer makes meanwhile", () =>
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

  test("merging manifests fails if another merge was faster, and removes its own manifests", () =>
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

  test("compaction merges a past day's files into one per site, with the bounds of all", () =>
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
        const table = yield* catalog.load(EVENTS_NAME)
        const contents = yield* Effect.forEach(yield* manifestsIn(catalog), (manifest) => entriesOf(table, manifest))
        for (const { file, status } of contents.flatMap(({ entries }) => entries)) {
          if (status !== "added" || file.recordCount === 5) continue
          // Every column, the map's keys and values included; together they are the file without its footer.
          expect([...file.columnSizes!.keys()].sort((a, b) => a - b)).toEqual(COLUMN_IDS)
          expect(Math.min(...file.columnSizes!.values())).toBeGreaterThan(0)
        }
        expect(currentSnapshot((yield* catalog.load(EVENTS_NAME)).metadata)?.summary).toMatchObject({
          operation: "replace",
          "added-data-files": "2",
          "deleted-data-files": "8",
          "total-data-files": "3",
          "total-records": "45"
        })
        yield* expectWhole(catalog, 45)
        // The old files stay for readers of earlier snapshots.
        expect(filesOf(catalog, ".parquet").length).toBe(11)
      })
    ))

  test("compaction never touches today's files, nor yesterday's in the first hour", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3, dayOf(Date.now()))
        expect((yield* compactTable(catalog, EVENTS_NAME, options, events)).filesBefore).toBe(0)
        expect(catalog.commits).toBe(3)
      })
    ))

  test("a dry run of compaction reports what it would merge and changes nothing", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        const planned = yield* compactTable(catalog, EVENTS_NAME, { ...options, dryRun: true }, events)
        expect(planned).toMatchObject({ filesBefore: 3, filesAfter: 1, rows: 15 })
        expect(catalog.commits).toBe(3)
      })
    ))

  test("compaction keeps large files and fills merged files up to the target size", () =>
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

  test("compaction merges to the table's own write.target-file-size-bytes", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        const size = catalog.store.files.get(filesOf(catalog, ".parquet")[0]!)!.length
        yield* changeMetadata(catalog, (metadata) => ({
          ...metadata,
          properties: { ...metadata.properties, "write.target-file-size-bytes": String(size * 2 + 100) }
        }))
        expect(yield* compactTable(catalog, EVENTS_NAME, options, events)).toMatchObject({
          filesBefore: 4,
          filesAfter: 2
        })
      })
    ))

  test("compaction keeps commits made meanwhile, and fails if another compaction was faster", () =>
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
        expect(refused.message).toBe("Table pa_events no longer contains 2 of the files that were merged.")
        yield* expectWhole(catalog, 20)
      })
    ))

  test("compaction of a missing file fails and changes nothing", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        catalog.store.files.delete(filesOf(catalog, ".parquet")[1]!)
        yield* Effect.flip(compactTable(catalog, EVENTS_NAME, options, events))
        expect(catalog.commits).toBe(3)
      })
    ))
})

describe("compaction next to another engine", () => {
  const options = { targetBytes: 1 << 20, createdBy: "test", dryRun: false, onProgress: () => {} }
  const SITE = "11111111-2222-4333-8444-555555555555"

  test("delete files that are committed during a compaction stop it, still apply, and leave nothing behind", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        catalog.before = () => {
          catalog.before = () => Effect.void
          return Effect.asVoid(appendDeletes(catalog, LOG.day, SITE))
        }
        const compacted = yield* compactTable(catalog, EVENTS_NAME, options, events)
        expect(compacted).toMatchObject({
          filesBefore: 0,
          filesAfter: 0,
          skipped: "pa_events contains delete files from another engine: compact it with that engine."
        })
        const manifests = yield* manifestsIn(catalog)
        expect(manifests.map(({ content }) => content)).toEqual([1, 0, 0, 0])
        const { metadata } = yield* catalog.load(EVENTS_NAME)
        expect(metadata.snapshots?.map(({ summary }) => summary.operation)).toEqual([
          "append",
          "append",
          "append",
          "delete"
        ])
        expect(filesOf(catalog, ".parquet").filter((file) => !file.endsWith("-deletes.parquet"))).toHaveLength(3)
        expect(filesOf(catalog, "-m0.avro")).toHaveLength(4)
        expect(filesOf(catalog, "/snap-")).toHaveLength(4)
      })
    ))

  test("delete files that are committed while manifests are merged apply to the same files as before", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        catalog.before = () => {
          catalog.before = () => Effect.void
          return Effect.asVoid(appendDeletes(catalog, LOG.day, SITE))
        }
        yield* mergeManifests(catalog, EVENTS_NAME, events, 5)
        const table = yield* catalog.load(EVENTS_NAME)
        const manifests = yield* manifestsIn(catalog)
        expect(manifests.map(({ content, sequenceNumber }) => [content, sequenceNumber])).toEqual([
          [1, 7],
          [0, 8]
        ])
        const { entries } = yield* entriesOf(table, manifests[1]!)
        expect(entries.map(({ sequenceNumber }) => sequenceNumber).toSorted()).toEqual([1, 2, 3, 4, 5, 6])
      })
    ))

  test("a table whose column was widened is compacted with bounds of either width, and verified", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        yield* changeMetadata(catalog, (metadata) => ({
          ...metadata,
          schemas: metadata.schemas.map((schema) => ({
            ...schema,
            fields: schema.fields.map((field) => (field.name === "event_type" ? { ...field, type: "long" } : field))
          }))
        }))
        expect(yield* compactTable(catalog, EVENTS_NAME, options, events)).toMatchObject({
          filesBefore: 3,
          filesAfter: 1
        })
        const table = yield* catalog.load(EVENTS_NAME)
        const contents = yield* Effect.forEach(yield* manifestsIn(catalog), (manifest) => entriesOf(table, manifest))
        const [entry] = contents.flatMap(({ entries }) => entries).filter(({ status }) => status === "added")
        // The id of `event_type`. The file has four bytes per value, and so has the bound.
        expect(Buffer.from(entry!.file.lowerBounds!.get(7)!).readInt32LE()).toBe(1)
        yield* expectWhole(catalog, 15)
      })
    ))

  test("a partition with a missing file is reported, and the other partitions are compacted", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        for (let index = 0; index < 3; index++) yield* appendEvents(catalog, LOG)
        const [missing] = filesOf(catalog, ".parquet")
        for (let index = 0; index < 3; index++) yield* appendEvents(catalog, { ...LOG, day: LOG.day + 1 })
        catalog.store.files.delete(missing!)
        const compacted = yield* compactTable(catalog, EVENTS_NAME, options, events)
        expect(compacted).toMatchObject({ filesBefore: 3, filesAfter: 1 })
        expect(compacted.failures).toEqual([expect.stringContaining(missing!)])
        expect(filesOf(catalog, ".parquet")).toHaveLength(6)
      })
    ))

  test("a compaction that cannot be committed leaves no files behind, unless its outcome is unknown", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        const before = [...catalog.store.files.keys()].toSorted()
        const commit = catalog.commit
        catalog.commit = () => Effect.fail(IcebergError.denied("no"))
        expect((yield* Effect.flip(compactTable(catalog, EVENTS_NAME, options, events))).reason).toBe("Denied")
        expect([...catalog.store.files.keys()].toSorted()).toEqual(before)

        const load = catalog.load
        catalog.commit = (table, change) =>
          Effect.andThen(commit(table, change), () => {
            catalog.load = () => Effect.fail(IcebergError.invalid("not readable"))
            return Effect.fail(IcebergError.unknown("not answered"))
          })
        expect((yield* Effect.flip(compactTable(catalog, EVENTS_NAME, options, events))).reason).toBe("Unknown")
        catalog.load = load
        yield* expectWhole(catalog, 15)
      })
    ))
})

describe("expiry", () => {
  const old = (catalog: MemoryCatalog) =>
    changeMetadata(catalog, (metadata) => ({
      ...metadata,
      snapshots: metadata.snapshots!.map((snapshot) => ({
        ...snapshot,
        "timestamp-ms": snapshot["timestamp-ms"] - DAY_MS
      }))
    }))
  const options = { maxAgeMs: 3_600_000, minKept: 2, staleProperties: staleWatermarks }

  test("expiry keeps the newest snapshots whatever their age, with all files that they need", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        yield* old(catalog)
        const expired = yield* expireSnapshots(catalog, EVENTS_NAME, options, false)
        expect(expired.snapshots).toBe(4)
        // Later snapshots still use the manifests of an append, so only the manifest lists are removed.
        expect(expired.files.every((file) => file.includes("/snap-"))).toBe(true)
        expect(filesOf(catalog, "/snap-").length).toBe(2)
        yield* expectWhole(catalog, 30)
      })
    ))

  test("expiry keeps a snapshot whose successor is young", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(3)
        yield* old(catalog)
        yield* appendEvents(catalog, LOG)
        expect((yield* expireSnapshots(catalog, EVENTS_NAME, { ...options, minKept: 1 }, false)).snapshots).toBe(2)
      })
    ))

  test("expiry removes the files that a compaction replaced once no snapshot needs them", () =>
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

  test("expiry keeps the snapshots of tags and other branches, and drops references past their age", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(4)
        yield* changeMetadata(catalog, (metadata) => {
          const ids = metadata.snapshots!.map((snapshot) => snapshot["snapshot-id"])
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
        expect(metadata.snapshots?.map((snapshot) => snapshot["sequence-number"])).toEqual([1, 2, 4])
        expect(Object.keys(metadata.refs ?? {}).sort()).toEqual(["audit", "main", "release"])
      })
    ))

  test("the table's own history.expire properties and gc.enabled=false take precedence over the options", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(6)
        yield* old(catalog)
        const set = (properties: Record<string, string>) =>
          changeMetadata(catalog, (metadata) => ({ ...metadata, properties }))
        const expiring = Effect.map(expireSnapshots(catalog, EVENTS_NAME, options, true), ({ snapshots }) => snapshots)
        yield* set({ "history.expire.min-snapshots-to-keep": "5" })
        expect(yield* expiring).toBe(1)
        yield* set({ "history.expire.max-snapshot-age-ms": String(2 * DAY_MS) })
        expect(yield* expiring).toBe(0)
        yield* set({ "history.expire.max-snapshot-age-ms": "a day" })
        expect(yield* expiring).toBe(4)
        yield* set({ "gc.enabled": "false" })
        expect(yield* expireSnapshots(catalog, EVENTS_NAME, options, false)).toEqual({
          snapshots: 0,
          files: [],
          skipped: "pa_events has the property gc.enabled=false: no snapshots expire."
        })
        const orphans = yield* removeOrphans(catalog, EVENTS_NAME, { ageMs: 0, dryRun: false, others: [] })
        expect(orphans).toEqual({
          files: [],
          seen: 0,
          refused: ["product_analytics.pa_events has the property gc.enabled=false: no files are removed."]
        })
        yield* expectWhole(catalog, 30)
      })
    ))

  test("expiry removes the watermarks of spools that added nothing for 90 days", () =>
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

  test("expiry whose commit conflicts reads only what is new before it tries again", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(40)
        yield* compactTable(
          catalog,
          EVENTS_NAME,
          { targetBytes: 1 << 20, createdBy: "test", dryRun: false, onProgress: () => {} },
          events
        )
        yield* appendEvents(catalog, LOG)
        yield* old(catalog)
        let reads = 0
        const read = catalog.store.read
        catalog.store.read = (location) => {
          reads++
          return read(location)
        }
        const readsBefore: Array<number> = []
        catalog.before = () => {
          catalog.before = () => Effect.void
          readsBefore.push(reads)
          return Effect.asVoid(appendEvents(catalog, LOG))
        }
        const expired = yield* expireSnapshots(catalog, EVENTS_NAME, { ...options, minKept: 1 }, false)
        expect(expired.snapshots).toBe(41)
        expect(expired.files.filter((file) => file.endsWith(".parquet")).length).toBe(40)
        expect(readsBefore[0]).toBeGreaterThan(40)
        // The manifest of the writer's commit, and no list, as that is cached.
        expect(reads - readsBefore[0]!).toBeLessThan(5)
        yield* expectWhole(catalog, 210)
      })
    ))

  test("a dry run of expiry removes nothing, and neither does an expiry of unknown outcome", () =>
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
  const SESSIONS_NAME = { ...EVENTS_NAME, name: "pa_sessions" }
  const orphansOf = (catalog: MemoryCatalog, dryRun: boolean) =>
    removeOrphans(catalog, EVENTS_NAME, { ageMs: 3 * DAY_MS, dryRun, others: [SESSIONS_NAME] })
  const setProperty = (catalog: MemoryCatalog, name: string, value: string) =>
    changeMetadata(catalog, (metadata) => ({ ...metadata, properties: { ...metadata.properties, [name]: value } }))
  const writeOld = Effect.fnUntraced(function* (catalog: MemoryCatalog, location: string, content = "x") {
    catalog.store.now = Date.now() - 10 * DAY_MS
    yield* catalog.store.write(location, Buffer.from(content))
    catalog.store.now = Date.now()
  })

  test("orphan removal refuses a folder with the metadata of another table, whatever its format version", () =>
    run(
      Effect.gen(function* () {
        for (const metadata of [
          JSON.stringify({ "format-version": 2, "table-uuid": "0198e5a4-0000-4000-8000-000000000001" }),
          JSON.stringify({ "format-version": 3, "table-uuid": "0198e5a4-0000-4000-8000-000000000001" }),
          JSON.stringify({ "format-version": 1 }),
          "damaged"
        ]) {
          const catalog = yield* tableOf(1)
          const { location } = (yield* catalog.load(EVENTS_NAME)).metadata
          yield* writeOld(catalog, `${location}/data/of-the-other.parquet`)
          yield* writeOld(catalog, `${location}/metadata/00003-other.gz.metadata.json`, metadata)
          const before = catalog.store.files.size
          const found = yield* orphansOf(catalog, false)
          expect(found.files).toEqual([])
          expect(found.refused).toHaveLength(1)
          expect(found.refused[0]).toContain("/metadata/00003-other.gz.metadata.json, which is not metadata of")
          expect(catalog.store.files.size).toBe(before)
        }
      })
    ))

  test("metadata files that failed commits of the same table left behind are removed as orphans", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(1)
        const { metadata } = yield* catalog.load(EVENTS_NAME)
        const left = `${metadata.location}/metadata/00001-left.metadata.json`
        yield* writeOld(catalog, left, JSON.stringify({ "table-uuid": metadata["table-uuid"].toUpperCase() }))
        const found = yield* orphansOf(catalog, false)
        expect(found).toMatchObject({ files: [{ location: left }], refused: [] })
        expect(catalog.store.files.has(left)).toBe(false)
      })
    ))

  test("orphan removal refuses a write.data.path that other tables may share, and searches one with the table's uuid", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(1)
        const { metadata } = yield* catalog.load(EVENTS_NAME)
        const own = `${metadata.location}/data/own.parquet`
        yield* writeOld(catalog, own)
        yield* writeOld(catalog, "memory://lake/shared/any.parquet")
        yield* setProperty(catalog, "write.data.path", "memory://lake/shared")
        const shared = yield* orphansOf(catalog, false)
        expect(shared).toMatchObject({ files: [{ location: own }] })
        expect(shared.refused[0]).toContain(
          "memory://lake/shared/, which write.data.path of product_analytics.pa_events"
        )
        expect(catalog.store.files.has("memory://lake/shared/any.parquet")).toBe(true)

        const unique = `memory://lake/data/${metadata["table-uuid"]}`
        yield* writeOld(catalog, `${unique}/orphan.parquet`)
        yield* setProperty(catalog, "write.data.path", `${unique}/`)
        const searched = yield* orphansOf(catalog, false)
        expect(searched).toMatchObject({ files: [{ location: `${unique}/orphan.parquet` }], refused: [] })
      })
    ))

  test("orphan removal refuses a folder in which another table of the lake has its location", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(1)
        const { location } = (yield* catalog.load(EVENTS_NAME)).metadata
        const sessions = yield* catalog.create(SESSIONS_NAME, newLakeTable(PA_SESSIONS))
        catalog.tables.set("product_analytics.pa_sessions", {
          ...sessions,
          metadata: { ...sessions.metadata, location: `${location}/sessions` }
        })
        yield* writeOld(catalog, `${location}/sessions/data/any.parquet`)
        const found = yield* orphansOf(catalog, false)
        expect(found).toMatchObject({ files: [], seen: 0 })
        expect(found.refused[0]).toContain("shares it with the table product_analytics.pa_sessions")
      })
    ))

  test("old files that no snapshot refers to are removed as orphans, and all others stay", () =>
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

        const found = yield* orphansOf(catalog, true)
        expect(found.files.map((file) => file.location).sort()).toEqual(lost)
        expect(catalog.store.files.has(lost[0]!)).toBe(true)
        yield* orphansOf(catalog, false)
        expect(lost.some((file) => catalog.store.files.has(file))).toBe(false)
        expect(catalog.store.files.has(`${location}/data/young.parquet`)).toBe(true)
        expect(catalog.store.files.has(`${location}/metadata/version-hint.text`)).toBe(true)
        yield* expectWhole(catalog, 5)
      })
    ))

  test("files that come into use during the search are not orphans", () =>
    run(
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* appendEvents(catalog, LOG)
        catalog.store.now = Date.now() - 10 * DAY_MS
        const list = catalog.store.list
        catalog.store.list = (folder) => {
          catalog.store.list = list
          // A file is listed before its commit.
          Effect.runSync(appendEvents(catalog, LOG) as Effect.Effect<unknown>)
          return list(folder)
        }
        expect((yield* orphansOf(catalog, false)).files).toEqual([])
        yield* expectWhole(catalog, 10)
      })
    ))
})

describe("verification", () => {
  test("verification finds no problem in an intact table", () =>
    run(
      Effect.gen(function* () {
        const found = yield* verified(yield* tableOf(3))
        expect(found).toMatchObject({ files: 3, rows: 15, problems: [] })
      })
    ))

  test("verification reports a missing file, a damaged file and a file that was replaced by another", () =>
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
        expect(problems).toContain(`${missing}: the file is missing`)
        expect(problems).toContain(`${damaged}: the file cannot be read`)
        expect(problems).toMatch(new RegExp(`${swapped}: the file has \\d+ bytes, but the manifest lists \\d+`))
        expect(problems).toContain(`${swapped}: the file has 9 rows, but the manifest lists 5`)
        expect(problems).toMatch(/values of column received_at are outside of the manifest's bounds/)
      })
    ))

  test("verification reports wrong totals in the snapshot's summary", () =>
    run(
      Effect.gen(function* () {
        const catalog = yield* tableOf(2)
        yield* changeMetadata(catalog, (metadata) => ({
          ...metadata,
          snapshots: metadata.snapshots!.map((snapshot) => ({
            ...snapshot,
            summary: { ...snapshot.summary, "total-records": "11" }
          }))
        }))
        expect((yield* verified(catalog)).problems).toEqual(["pa_events: total-records is 11, but 10 were counted"])
      })
    ))
})
