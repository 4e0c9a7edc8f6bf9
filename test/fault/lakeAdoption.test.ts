import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import { makeCatalog } from "../../layers/iceberg/catalog/makeCatalog.ts"
import { expireSnapshots } from "../../layers/iceberg/maintenance/expire.ts"
import { SILENT } from "../../layers/iceberg/table/commit.ts"
import { manifestsOf } from "../../layers/iceberg/table/files.ts"
import { encodeEvent } from "../../layers/lake/records.ts"
import { type LakeWriter, makeLakeWriter } from "../../layers/lake/writer/LakeWriter.ts"
import { openSpool } from "../../layers/spool/Spool.ts"
import { event } from "../support/collect/records.ts"
import { readLakeTable } from "../support/lake/lakeStorage.ts"
import { EVENTS_NAME, NAMESPACE } from "../support/lake/lakeTables.ts"
import { run } from "../support/postgres/controlPlane.ts"
import { temporaryFolder } from "../support/postgres/postgres.ts"

setDefaultTimeout(180_000)

const SEGMENT_BYTES = 1 << 20

const openLake = (folder: string) =>
  Effect.map(makeCatalog({ type: "hadoop", warehouse: pathToFileURL(join(folder, "lake")).href }), (catalog) => ({
    catalog,
    namespace: NAMESPACE
  }))

/** Adds ten events to a spool, closes it, and writes it to the lake with a collector's writer. */
const addEvents = (writer: LakeWriter, folder: string) =>
  Effect.gen(function* () {
    const spool = yield* openSpool({
      folder,
      maxPending: 100,
      maxBytes: SEGMENT_BYTES * 64,
      timeoutMs: 5_000,
      segmentBytes: SEGMENT_BYTES
    })
    for (let index = 0; index < 10; index++) yield* spool.append(encodeEvent(event(), null, Date.now()))
    return { spool: { folder, id: spool.id, oldest: spool.oldest }, upTo: spool.durable() }
  }).pipe(
    Effect.scoped,
    Effect.flatMap((run) =>
      // The first write may find that another process has written the spool since; the second reads it again.
      Effect.retry(writer.write(run, { ...SILENT, onCommitted: () => {}, onDamage: () => {} }), {
        times: 1,
        while: (error) => error.reason === "Invalid"
      })
    )
  )

const countsOf = (lake: Effect.Success<ReturnType<typeof openLake>>) =>
  Effect.map(readLakeTable(lake, "pa_events"), (rows) => [
    rows.length,
    new Set(rows.map((row) => row["event_id"])).size
  ])

test("a spool that is adopted, used by another collector and adopted again is in the table once", () =>
  run(
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const lake = yield* openLake(folder)
      const [own, left] = [join(folder, "0"), join(folder, "1")]
      const adopter = makeLakeWriter(lake)
      yield* addEvents(adopter, left)
      yield* addEvents(makeLakeWriter(lake), left)
      // This commit conflicts with the other's, so that the adopter reloads the table.
      yield* addEvents(adopter, own)
      yield* addEvents(adopter, left)

      expect(yield* countsOf(lake)).toEqual([40, 40])
    })
  ))

test("a collector that was idle while its last snapshot expired continues to write", () =>
  run(
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const lake = yield* openLake(folder)
      const [idle, busy] = [makeLakeWriter(lake), makeLakeWriter(lake)]
      yield* addEvents(idle, join(folder, "0"))
      yield* addEvents(busy, join(folder, "1"))
      const options = { maxAgeMs: -1_000, minKept: 1 }
      expect((yield* expireSnapshots(lake.catalog, EVENTS_NAME, options, false)).snapshots).toBe(1)
      // More commits than there are cached manifest lists.
      for (let commit = 0; commit < 10; commit++) yield* addEvents(busy, join(folder, "1"))
      yield* addEvents(idle, join(folder, "0"))

      expect(yield* countsOf(lake)).toEqual([130, 130])
    })
  ))

test("a table with a missing manifest list is not mistaken for a missing table", () =>
  run(
    Effect.gen(function* () {
      const folder = temporaryFolder()
      const lake = yield* openLake(folder)
      const writer = makeLakeWriter(lake)
      // More commits than there are cached manifest lists.
      for (let commit = 0; commit < 10; commit++) yield* addEvents(writer, join(folder, "0"))
      const table = yield* lake.catalog.load(EVENTS_NAME)
      const [first] = table.metadata.snapshots ?? []
      const list = first!["manifest-list"]
      yield* table.store.remove([list])
      const { message, reason } = yield* Effect.flip(manifestsOf(table, first!))

      expect([reason, message]).toEqual(["Invalid", `Manifest list ${list} is missing.`])
    })
  ))
