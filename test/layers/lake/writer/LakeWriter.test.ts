import { expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import fc from "fast-check"
import { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { currentSnapshot } from "../../../../layers/iceberg/metadata/TableMetadata.ts"
import { SILENT } from "../../../../layers/iceberg/table/commit.ts"
import { entriesOf, manifestsOf } from "../../../../layers/iceberg/table/files.ts"
import { encodeEvent, encodeIdentity } from "../../../../layers/lake/records.ts"
import { type Committed, makeLakeWriter, type WriteEvents } from "../../../../layers/lake/writer/LakeWriter.ts"
import { openSpool, type Spool } from "../../../../layers/spool/Spool.ts"
import { segmentName } from "../../../../layers/spool/segmentNames.ts"
import { event, identity, session, text } from "../../../support/collect/records.ts"
import { readLakeTable } from "../../../support/lake/lakeStorage.ts"
import { DAY_MS, EVENTS_NAME, NAMESPACE } from "../../../support/lake/lakeTables.ts"
import { countingEvents, type Fate, MemoryCatalog } from "../../../support/lake/MemoryCatalog.ts"
import { run } from "../../../support/postgres/controlPlane.ts"

setDefaultTimeout(180_000)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "footfall-spool-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Small segments, so that trimming removes files. */
const openSmallSpool = (folder: string): Effect.Effect<Spool, unknown, Scope.Scope> =>
  openSpool({ folder, maxPending: 1_000, maxBytes: 2 ** 24, timeoutMs: 10_000, segmentBytes: 16_384 })

const refOf = ({ folder, id, oldest }: Spool) => ({ folder, id, oldest })

/** The segments that this process has open for reading. */
const openedForReading = ({ folder }: Spool): ReadonlyArray<string> =>
  readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${name}`)
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1]
      const isForWriting = (Number.parseInt(flags ?? "0", 8) & 3) !== 0
      return file.startsWith(folder) && file.endsWith(".log") && !isForWriting ? [file] : []
    } catch {
      // The descriptor that listed them is closed.
      return []
    }
  })

const unexpected = (what: string) => () => {
  throw new Error(`The write met ${what}.`)
}
const UNEVENTFUL: WriteEvents = {
  onConflict: unexpected("a conflict"),
  onUnknown: unexpected("an unknown outcome"),
  onDamage: unexpected("damage"),
  onCommitted: () => {}
}

const append = (spool: Spool, count: number) =>
  Effect.gen(function* () {
    const ids: Array<string> = []
    for (let index = 0; index < count; index++) {
      const record = event()
      ids.push(record.id)
      yield* spool.append(encodeEvent(record, index % 3 === 0 ? record.session : null, Date.now()))
    }
    return ids
  })

const idsIn = (catalog: MemoryCatalog) =>
  Effect.map(readLakeTable({ catalog, namespace: NAMESPACE }, "pa_events"), (rows) =>
    rows.map((row) => row["event_id"] as string).sort()
  )

test("a spool that was trimmed past the watermark of an empty table is read from there without missing records", () =>
  run(
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const catalog = new MemoryCatalog()
      const ids = yield* Effect.scoped(
        Effect.gen(function* () {
          const spool = yield* openSmallSpool(folder)
          const first = yield* append(spool, 200)
          const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
          const result = yield* writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL)
          // The table of attributes has no rows and therefore no watermark.
          expect(result).toMatchObject({ position: spool.durable(), rows: 200 + 67 })
          yield* spool.trim(result.position)
          return first
        })
      )
      const spool = yield* openSmallSpool(folder)
      const more = yield* append(spool, 3)
      yield* spool.append(encodeIdentity(identity(session(), [text("plan", "Team")]), Date.now()))
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      yield* writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL)
      expect(yield* idsIn(catalog)).toEqual([...ids, ...more].sort())
    })
  ))

test("a record of a newer version stops the write, and the message says what to do", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      yield* spool.append('[9,"from the future"]')
      const writer = makeLakeWriter({ catalog: new MemoryCatalog(), namespace: NAMESPACE })
      const failed = yield* Effect.flip(writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL))
      expect(failed).toMatchObject({
        reason: "Invalid",
        message: expect.stringContaining("Start the version that wrote it.")
      })
      if (process.platform === "linux") expect(openedForReading(spool)).toEqual([])
    })
  ))

test("an unreadable spool is kept, named in the message, and written once it is readable", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      const catalog = new MemoryCatalog()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const flush = Effect.suspend(() => writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL))
      const ids = yield* append(spool, 3)
      yield* flush
      ids.push(...(yield* append(spool, 3)))
      const segment = join(spool.folder, segmentName(0))
      renameSync(segment, `${segment}.away`)
      // Reading a folder fails.
      mkdirSync(segment)
      const failed = yield* Effect.flip(flush)
      expect(failed.reason).toBe("Unavailable")
      expect(failed.message).toStartWith(`The spool in ${spool.folder} can't be read (EISDIR).`)
      rmdirSync(segment)
      renameSync(`${segment}.away`, segment)
      yield* flush
      expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
    })
  ))

test("a bucket that is emptied under a running writer fails its writes until the files are back, and loses no record", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      const catalog = new MemoryCatalog()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const flush = Effect.suspend(() => writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL))
      const ids = yield* append(spool, 3)
      yield* flush
      const deleted = [...catalog.store.files]
      catalog.store.files.clear()
      ids.push(...(yield* append(spool, 3)))
      for (let attempt = 0; attempt < 2; attempt++) {
        const failed = yield* Effect.flip(flush)
        expect(failed.reason).toBe("Invalid")
        expect(failed.message).toMatch(
          /^Manifest \S+\.avro of table pa_\w+ is missing, so nothing is added to the table\. Restore the deleted files,/
        )
      }
      for (const [location, bytes] of deleted) catalog.store.files.set(location, bytes)
      yield* flush
      expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
    })
  ))

test("data files that are deleted while they wait for their commit are written again", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      const catalog = new MemoryCatalog()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const flush = Effect.suspend(() => writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL))
      const ids = yield* append(spool, 3)
      const commit = catalog.commit
      catalog.commit = () => Effect.fail(IcebergError.unavailable("The catalog is down."))
      yield* Effect.flip(flush)
      for (const location of catalog.store.files.keys()) {
        if (location.endsWith(".parquet")) catalog.store.files.delete(location)
      }
      catalog.commit = commit
      expect((yield* Effect.flip(flush)).message).toContain("was deleted before it was committed")
      yield* flush
      expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
    })
  ))

test("a batch with an event on each of many days is written in steps that double, and every event arrives", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      const catalog = new MemoryCatalog()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const ids: Array<string> = []
      for (let day = 0; day < 300; day++) {
        const record = event({ createdAt: (10_000 + day) * DAY_MS })
        ids.push(record.id)
        yield* spool.append(encodeEvent(record, null, Date.now()))
      }
      const rows: Array<number> = []
      for (let position = 0; position < spool.durable(); ) {
        const written = yield* writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL)
        position = written.position
        rows.push(written.rows)
      }
      expect(rows).toEqual([65, 129, 106])
      expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
    })
  ))

test("a commit of 10,000 events has one file per site and day", () =>
  run(
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const spool = yield* openSpool({ folder, maxPending: 20_000, maxBytes: 2 ** 28, timeoutMs: 30_000 })
      const catalog = new MemoryCatalog()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const urlQuery = "q=".padEnd(500, "x")
      yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, index) => event({ siteId: `site-${index % 10}` as never, urlQuery })),
        (record) => spool.append(encodeEvent(record, null, Date.now())),
        { concurrency: "unbounded", discard: true }
      )
      yield* writer.write({ spool: refOf(spool), upTo: spool.durable() }, UNEVENTFUL)
      const { metadata } = yield* catalog.load(EVENTS_NAME)
      expect(currentSnapshot(metadata)?.summary).toMatchObject({ "added-records": "10000", "added-data-files": "10" })
      const table = yield* catalog.load(EVENTS_NAME)
      const [manifest] = yield* manifestsOf(table, currentSnapshot(metadata))
      const { entries } = yield* entriesOf(table, manifest!)
      for (const { file } of entries) {
        const sizes = [...file.columnSizes!.values()].reduce((sum, size) => sum + size, 0)
        expect([...file.columnSizes!.keys()]).toContain(37)
        expect(sizes).toBeGreaterThan(file.fileSize * 0.3)
        expect(sizes).toBeLessThan(file.fileSize)
      }
    })
  ))

test("data files and manifests are written to the folders that the table's properties name", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      const catalog = new MemoryCatalog()
      const flush = Effect.suspend(() =>
        makeLakeWriter({ catalog, namespace: NAMESPACE }).write(
          { spool: refOf(spool), upTo: spool.durable() },
          UNEVENTFUL
        )
      )
      const ids = yield* append(spool, 1)
      yield* flush
      const table = yield* catalog.load(EVENTS_NAME)
      const properties = {
        ...table.metadata.properties,
        "write.data.path": "memory://data/events/",
        "write.metadata.path": "memory://metadata/events"
      }
      catalog.tables.set("product_analytics.pa_events", { ...table, metadata: { ...table.metadata, properties } })
      ids.push(...(yield* append(spool, 1)))
      const before = new Set(catalog.store.files.keys())
      yield* flush
      const written = [...catalog.store.files.keys()].filter((file) => !before.has(file) && /events/.test(file))
      expect(written.map((file) => file.replace(/[^/]+$/, "")).toSorted()).toEqual([
        expect.stringMatching(/^memory:\/\/data\/events\/event_time_day=/),
        "memory://metadata/events/",
        "memory://metadata/events/"
      ])
      expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
    })
  ))

test("a write reports conflicts and unknown outcomes even if it fails", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      yield* spool.append(encodeEvent(event(), null, Date.now()))
      const catalog = new MemoryCatalog()
      catalog.fates = ["refused as a conflict", "lost", "refused as a conflict"]
      catalog.before = () =>
        catalog.fates.length > 0 ? Effect.void : Effect.fail(IcebergError.unavailable("The catalog is unreachable."))
      const { counts, events } = countingEvents()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const failed = yield* Effect.flip(
        writer.write({ spool: refOf(spool), upTo: spool.durable() }, { ...UNEVENTFUL, ...events })
      )

      expect(failed.message).toBe("The catalog is unreachable.")
      expect(counts).toEqual({ conflicts: 2, unknown: 1 })
    })
  ))

test("data files are reported once, by the write that commits them", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openSmallSpool(yield* temporaryFolder)
      yield* append(spool, 4)
      const catalog = new MemoryCatalog()
      const committed: Array<Committed> = []
      const events: WriteEvents = { ...UNEVENTFUL, onCommitted: (commit) => committed.push(commit) }
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      // Only one of the two tables is committed.
      let attempts = 0
      catalog.before = () =>
        ++attempts === 1 ? Effect.void : Effect.fail(IcebergError.unavailable("The catalog is unreachable."))
      yield* Effect.flip(writer.write({ spool: refOf(spool), upTo: spool.durable() }, events))
      expect(committed.length).toBe(1)

      catalog.before = () => Effect.void
      const { rows } = yield* writer.write({ spool: refOf(spool), upTo: spool.durable() }, events)
      expect(committed.map((commit) => commit.rows).sort()).toEqual([2, 4])
      expect(rows).toBe(committed[1]!.rows)
      for (const { bytes, files, seconds } of committed) {
        expect(files).toBe(1)
        expect(bytes).toBeGreaterThan(1_000)
        expect(seconds).toBeGreaterThan(0)
      }
    })
  ))

const anyStep = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "trim" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "foreign commit" as const }) }
)
const fates = fc.array(fc.constantFrom<Fate>("committed", "committed, answer lost", "lost", "refused as a conflict"), {
  maxLength: 20
})

test("each record is in the lake once, whatever the outcome of commits and whenever the writer restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 20 }), fates, (steps, commitFates) =>
      run(
        Effect.gen(function* () {
          const spool = yield* openSmallSpool(yield* temporaryFolder)
          const catalog = new MemoryCatalog()
          catalog.fates = [...commitFates]
          const open = () => makeLakeWriter({ catalog, namespace: NAMESPACE })
          let writer = open()
          let done = 0
          const ids: Array<string> = []
          const flush = Effect.gen(function* () {
            const result = yield* Effect.result(
              writer.write(
                { spool: { ...refOf(spool), oldest: done }, upTo: spool.durable() },
                { ...UNEVENTFUL, ...SILENT }
              )
            )
            if (result._tag === "Success") done = result.success.position
            return result._tag === "Success"
          })
          for (const step of steps) {
            if (step.kind === "append") ids.push(...(yield* append(spool, step.count)))
            else if (step.kind === "flush") yield* flush
            else if (step.kind === "restart") writer = open()
            else if (step.kind === "trim") yield* spool.trim(done)
            else {
              const name = { namespace: NAMESPACE, name: "pa_events" }
              const table = yield* Effect.option(catalog.load(name))
              if (table._tag === "Some") {
                yield* Effect.ignore(
                  catalog.commit(table.value, {
                    requirements: [],
                    updates: [{ action: "set-properties", updates: { owner: String(ids.length) } }]
                  })
                )
              }
            }
          }
          catalog.fates = []
          while (!(yield* flush)) {
            // The next write resolves what this one left open.
          }
          if (ids.length > 0) expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
        })
      )
    ),
    { numRuns: 60 }
  )
})
