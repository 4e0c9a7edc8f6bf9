import { Effect } from "effect"
import { stringifyJson } from "../../layers/iceberg/json.ts"
import { expireSnapshots } from "../../layers/iceberg/maintenance/expire.ts"
import { mergeManifests } from "../../layers/iceberg/maintenance/mergeManifests.ts"
import { SILENT } from "../../layers/iceberg/table/commit.ts"
import { PartitionedRows } from "../../layers/lake/parquet/rows.ts"
import { decodeRecord, encodeEvent } from "../../layers/lake/records.ts"
import { PA_EVENTS, PA_SESSION_DATA, PA_SESSIONS } from "../../layers/lake/schema.ts"
import { records } from "../storage/records.ts"
import type { Case } from "../support/Bench.ts"
import { append, openBenchLake, openEvents, writeFile } from "../support/lakeTable.ts"
import { median, milliseconds } from "../support/report.ts"

/** A day of commits, one every 30 s. */
const COMMITS = 2_880
/** Commits in five minutes, after which maintenance runs. */
const BETWEEN_MAINTENANCE = 10
/** Commits in half an hour, which is how long snapshots are kept. */
const SNAPSHOTS = 60
const EVENTS = 20

const TABLES = { pa_events: PA_EVENTS, pa_sessions: PA_SESSIONS, pa_session_data: PA_SESSION_DATA }

export const lakeDay: Case = async ({ databaseUrl, short }) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const commits = short ? COMMITS / 10 : COMMITS
        const lake = yield* openBenchLake(databaseUrl)
        let writable = yield* openEvents(lake)
        const times: Array<number> = []
        for (let commit = 1; commit <= commits; commit++) {
          const rows = new PartitionedRows(TABLES)
          for (const record of records(EVENTS, Date.now())) {
            rows.add(decodeRecord(Buffer.from(encodeEvent(record, null, Date.now())))!, () => true)
          }
          const file = yield* writeFile(writable, rows.all().next().value!)
          const began = performance.now()
          writable = yield* append(lake, writable, [file])
          times.push(performance.now() - began)
          if (commit % BETWEEN_MAINTENANCE === 0) {
            yield* mergeManifests(lake.catalog, lake.name, SILENT)
            yield* expireSnapshots(lake.catalog, lake.name, { maxAgeMs: 0, minKept: SNAPSHOTS }, false)
            writable = { ...writable, table: yield* lake.catalog.load(lake.name) }
          }
        }
        const part = Math.floor(commits / 10)
        const [first, last] = [median(times.slice(part, 2 * part)), median(times.slice(-part))]
        const bytes = Buffer.byteLength(stringifyJson(writable.table.metadata))
        return [
          {
            what: `lake: a commit to ${lake.where}, median of a day's ${commits.toLocaleString("en")}`,
            value: milliseconds(median(times)),
            against: `the last tenth ${milliseconds(last)}, the second ${milliseconds(first)}`,
            ratio: last / first,
            goal: "under 30 ms, not growing",
            met: median(times) < 30 && last < first * 1.5
          },
          {
            what: "lake: metadata.json after them",
            value: `${Math.round(bytes / 1_000)} kB`,
            against: null,
            ratio: null,
            goal: "under 100 kB",
            met: bytes < 100_000
          }
        ]
      })
    )
  )
