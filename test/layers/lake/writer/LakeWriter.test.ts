import { expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import fc from "fast-check"
import { icebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { SILENT } from "../../../../layers/iceberg/table/commit.ts"
import { encodeEvent, encodeIdentity } from "../../../../layers/lake/records.ts"
import { type Committed, type FlushEvents, makeLakeWriter } from "../../../../layers/lake/writer/LakeWriter.ts"
import { openSpool, type Spool } from "../../../../layers/spool/Spool.ts"
import { segmentName } from "../../../../layers/spool/segments.ts"
import { run } from "../../../support/controlPlane.ts"
import { countingEvents, type Fate, MemoryCatalog } from "../../../support/lake.ts"
import { readLakeTable } from "../../../support/lakeStorage.ts"
import { NAMESPACE } from "../../../support/lakeTables.ts"
import { event, identity, session, text } from "../../../support/records.ts"

setDefaultTimeout(60_000)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "footfall-log-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Small segments, so that giving up a log removes files of it. */
const openLog = (folder: string): Effect.Effect<Spool, unknown, Scope.Scope> =>
  openSpool({ folder, maxPending: 1_000, maxBytes: 2 ** 24, timeoutMs: 10_000, segmentBytes: 16_384 })

const logOf = ({ folder, id, oldest }: Spool) => ({ folder, id, oldest })

/** The files of a log that this process has open to read. */
const openedForReading = ({ folder }: Spool): ReadonlyArray<string> =>
  readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      const file = readlinkSync(`/proc/self/fd/${name}`)
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1]
      const isToWrite = (Number.parseInt(flags ?? "0", 8) & 3) !== 0
      return file.startsWith(folder) && file.endsWith(".log") && !isToWrite ? [file] : []
    } catch {
      // The one that lists them is gone.
      return []
    }
  })

const met = (what: string) => () => {
  throw new Error(`A flush met ${what}.`)
}
const UNEVENTFUL: FlushEvents = {
  onConflict: met("a conflict"),
  onUnknown: met("an unknown outcome"),
  onDamage: met("damage"),
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

test("a log that was given up behind what one table has is read from there, and nothing of it is missed", () =>
  run(
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const catalog = new MemoryCatalog()
      const ids = yield* Effect.scoped(
        Effect.gen(function* () {
          const spool = yield* openLog(folder)
          const first = yield* append(spool, 200)
          const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
          const result = yield* writer.flush(logOf(spool), spool.durable(), UNEVENTFUL)
          // The table of attributes has no rows, and so no watermark.
          expect(result).toMatchObject({ position: spool.durable(), rows: 200 + 67 })
          yield* spool.trim(result.position)
          return first
        })
      )
      const spool = yield* openLog(folder)
      const more = yield* append(spool, 3)
      yield* spool.append(encodeIdentity(identity(session(), [text("plan", "Team")]), Date.now()))
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      yield* writer.flush(logOf(spool), spool.durable(), UNEVENTFUL)
      expect(yield* idsIn(catalog)).toEqual([...ids, ...more].sort())
    })
  ))

test("a record of a version to come holds the log up, and the message says what to do", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openLog(yield* temporaryFolder)
      yield* spool.append('[9,"from the future"]')
      const writer = makeLakeWriter({ catalog: new MemoryCatalog(), namespace: NAMESPACE })
      const refused = yield* Effect.flip(writer.flush(logOf(spool), spool.durable(), UNEVENTFUL))
      expect(refused).toMatchObject({
        reason: "Invalid",
        message: expect.stringContaining("Start the version that wrote it.")
      })
      if (process.platform === "linux") expect(openedForReading(spool)).toEqual([])
    })
  ))

test("a log that can't be read stays, the message says which and why, and it is brought in when it can", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openLog(yield* temporaryFolder)
      const catalog = new MemoryCatalog()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const flush = Effect.suspend(() => writer.flush(logOf(spool), spool.durable(), UNEVENTFUL))
      const ids = yield* append(spool, 3)
      yield* flush
      ids.push(...(yield* append(spool, 3)))
      const segment = join(spool.folder, segmentName(0))
      renameSync(segment, `${segment}.away`)
      // What is no file fails when it is read.
      mkdirSync(segment)
      const failed = yield* Effect.flip(flush)
      expect(failed.reason).toBe("Unavailable")
      expect(failed.message).toStartWith(`The log in ${spool.folder} can't be read (EISDIR).`)
      rmdirSync(segment)
      renameSync(`${segment}.away`, segment)
      yield* flush
      expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
    })
  ))

test("a flush that fails has told of the conflicts and the unknown outcomes that it met", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openLog(yield* temporaryFolder)
      yield* spool.append(encodeEvent(event(), null, Date.now()))
      const catalog = new MemoryCatalog()
      catalog.fates = ["refused as a conflict", "lost", "refused as a conflict"]
      catalog.before = () =>
        catalog.fates.length > 0 ? Effect.void : Effect.fail(icebergError("Unavailable", "The catalog is away."))
      const { counts, events } = countingEvents()
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      const failed = yield* Effect.flip(writer.flush(logOf(spool), spool.durable(), { ...UNEVENTFUL, ...events }))

      expect(failed.message).toBe("The catalog is away.")
      expect(counts).toEqual({ conflicts: 2, unknown: 1 })
    })
  ))

test("what a flush wrote is told by whichever commits it, once", () =>
  run(
    Effect.gen(function* () {
      const spool = yield* openLog(yield* temporaryFolder)
      yield* append(spool, 4)
      const catalog = new MemoryCatalog()
      const committed: Array<Committed> = []
      const events: FlushEvents = { ...UNEVENTFUL, onCommitted: (commit) => committed.push(commit) }
      const writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
      // One of the two tables gets its commit.
      let tries = 0
      catalog.before = () =>
        ++tries === 1 ? Effect.void : Effect.fail(icebergError("Unavailable", "The catalog is away."))
      yield* Effect.flip(writer.flush(logOf(spool), spool.durable(), events))
      expect(committed.length).toBe(1)

      catalog.before = () => Effect.void
      const { rows } = yield* writer.flush(logOf(spool), spool.durable(), events)
      expect(committed.map((commit) => commit.rows).sort()).toEqual([2, 4])
      expect(rows).toBe(committed[1]!.rows)
      for (const { bytes, files, seconds } of committed) {
        expect(files).toBe(1)
        expect(bytes).toBeGreaterThan(1_000)
        expect(seconds).toBeGreaterThan(0)
      }
    })
  ))

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 3, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "trim" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "foreign commit" as const }) }
)
const fates = fc.array(fc.constantFrom<Fate>("committed", "committed, answer lost", "lost", "refused as a conflict"), {
  maxLength: 20
})

test("whatever becomes of commits and whenever the writer is started anew, each record is in the lake once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), fates, (steps, given) =>
      run(
        Effect.gen(function* () {
          const spool = yield* openLog(yield* temporaryFolder)
          const catalog = new MemoryCatalog()
          catalog.fates = [...given]
          const open = () => makeLakeWriter({ catalog, namespace: NAMESPACE })
          let writer = open()
          let done = 0
          const ids: Array<string> = []
          const flush = Effect.gen(function* () {
            const result = yield* Effect.result(
              writer.flush({ ...logOf(spool), oldest: done }, spool.durable(), { ...UNEVENTFUL, ...SILENT })
            )
            if (result._tag === "Success") done = result.success.position
            return result._tag === "Success"
          })
          for (const one of steps) {
            if (one.kind === "append") ids.push(...(yield* append(spool, one.count)))
            else if (one.kind === "flush") yield* flush
            else if (one.kind === "restart") writer = open()
            else if (one.kind === "trim") yield* spool.trim(done)
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
            // What was left open settles with the next one.
          }
          if (ids.length > 0) expect(yield* idsIn(catalog)).toEqual(ids.toSorted())
        })
      )
    ),
    { numRuns: 60 }
  )
})
