import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { compactTable } from "../../layers/iceberg/maintenance/compact.ts"
import { SILENT } from "../../layers/iceberg/table/commit.ts"
import { encodeParquet } from "../../layers/lake/parquet/encode.ts"
import { PartitionedRows, type Rows } from "../../layers/lake/parquet/rows.ts"
import { decodeRecord, EVENT_TIME, isEvent, type LakeRecord } from "../../layers/lake/records.ts"
import { PA_EVENTS, PA_SESSION_DATA, PA_SESSIONS } from "../../layers/lake/schema.ts"
import { readRecords } from "../../layers/spool/readRecords.ts"
import { segmentStarts } from "../../layers/spool/segmentNames.ts"
import { lakeFolder } from "../lake/lake.ts"
import type { Case } from "../support/Bench.ts"
import { append, openBenchLake, openEvents, writeFile } from "../support/lakeTable.ts"
import { measure } from "../support/load.ts"
import { perSecond } from "../support/report.ts"

const EVENTS_A_FILE = 10_000
const TABLES = { pa_events: PA_EVENTS, pa_sessions: PA_SESSIONS, pa_session_data: PA_SESSION_DATA }
const DAY_MS = 86_400_000

/** The events in a collector's spool. */
const eventsOf = (folder: string): ReadonlyArray<LakeRecord> => {
  const events: Array<LakeRecord> = []
  const start = segmentStarts(readdirSync(folder))[0] ?? 0
  for (const { payload } of readRecords(folder, start, Number.MAX_SAFE_INTEGER, () => {})) {
    const record = decodeRecord(payload)
    if (record !== null && isEvent(record)) events.push(record)
  }
  return events
}

const rowsOf = (
  events: ReadonlyArray<LakeRecord>,
  change: (record: LakeRecord) => LakeRecord = (same) => same
): Rows => {
  const rows = new PartitionedRows(TABLES)
  for (const record of events) rows.add(change(record), (name) => name === "pa_events")
  return rows.all().next().value!
}

/** The same events, one day earlier, since only past days are compacted. */
const yesterday = (record: LakeRecord): LakeRecord =>
  isEvent(record)
    ? [record[0], record[1].with(EVENT_TIME, (record[1][EVENT_TIME] as number) - 2 * DAY_MS), record[2]]
    : record

export const lakeFiles: Case = async ({ databaseUrl, short, startCollector, website }) => {
  const files = short ? 10 : 60
  await using folder = await lakeFolder()
  let events: ReadonlyArray<LakeRecord>
  {
    await using collector = await startCollector({
      ...folder.env,
      PRODUCT_ANALYTICS_ICEBERG_FLUSH_INTERVAL_SECONDS: "3600",
      PRODUCT_ANALYTICS_ICEBERG_FLUSH_BATCH_SIZE: "10000000"
    })
    await measure(collector, { website, requests: EVENTS_A_FILE * 2, warmUpSeconds: 0 })
    events = eventsOf(join(folder.env.SPOOL_DIR, "0"))
  }
  const size = encodeParquet(rowsOf(events.slice(0, EVENTS_A_FILE))).bytes.length
  const encoding = performance.now()
  encodeParquet(rowsOf(events.slice(EVENTS_A_FILE, 2 * EVENTS_A_FILE)))
  const encoded = performance.now() - encoding
  const compacted = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const lake = yield* openBenchLake(databaseUrl)
        let writable = yield* openEvents(lake)
        for (let file = 0; file < files; file++) {
          const some = events.slice(0, EVENTS_A_FILE)
          writable = yield* append(lake, writable, [yield* writeFile(writable, rowsOf(some, yesterday))])
        }
        const began = performance.now()
        const result = yield* compactTable(
          lake.catalog,
          lake.name,
          { targetBytes: 192 << 20, createdBy: "footfall bench", dryRun: false, onProgress: () => {} },
          SILENT
        )
        return { where: lake.where, rate: (result.rows / (performance.now() - began)) * 1_000, result }
      })
    )
  )
  return [
    {
      what: "lake: Parquet bytes per event, 10,000 events per file",
      value: `${(size / EVENTS_A_FILE).toFixed(0)} B`,
      against: `encoded at ${perSecond((EVENTS_A_FILE / encoded) * 1_000)}`,
      ratio: null,
      goal: "at most 130 B",
      met: size / EVENTS_A_FILE <= 130
    },
    {
      what: `lake: rows compacted on ${compacted.where}, ${compacted.result.filesBefore} files into ${compacted.result.filesAfter}`,
      value: perSecond(compacted.rate),
      against: null,
      ratio: null,
      goal: "at least 50,000/s",
      met: compacted.rate >= 50_000
    }
  ]
}
