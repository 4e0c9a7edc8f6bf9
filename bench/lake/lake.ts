import { mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Case } from "../support/Bench.ts"
import { measure } from "../support/load.ts"
import { median, milliseconds, perSecond } from "../support/report.ts"
import { HOSTNAME, ROOT, type Server } from "../support/server.ts"

const CONNECTIONS = 256
/** Events in the flush during which latency and memory are measured. */
const FLUSHED = 100_000

/** A lake in a folder next to the project: the system's temporary folder may be in memory, where nothing is durable. */
export const lakeFolder = async () => {
  const folder = await mkdtemp(join(ROOT, ".bench-lake-"))
  return {
    env: {
      STORAGE_BACKEND: "iceberg",
      SPOOL_DIR: join(folder, "spool"),
      PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${join(folder, "lake")}`
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true })
  }
}

/** A lake that is flushed only by time, not by the size of the spool. */
const flushedAfter = (seconds: number) => ({
  PRODUCT_ANALYTICS_ICEBERG_FLUSH_INTERVAL_SECONDS: String(seconds),
  PRODUCT_ANALYTICS_ICEBERG_FLUSH_BATCH_SIZE: "10000000",
  PRODUCT_ANALYTICS_ICEBERG_FLUSH_BYTES: String(17_179_869_184)
})

const flushedRows = async (server: Server): Promise<number> => {
  const metrics = await (await fetch(`http://${HOSTNAME}:${server.port}/metrics`)).text()
  return Number(/^footfall_lake_rows_total (\d+)/m.exec(metrics)?.[1] ?? 0)
}

export const lake: Case = async ({ short, startCollector, website }) => {
  const time = short ? { warmUpSeconds: 2, seconds: 3 } : { warmUpSeconds: 5, seconds: 10 }
  const rounds = short ? 1 : 3
  const one = { ...time, website, connections: CONNECTIONS }
  await using folder = await lakeFolder()
  const rates = { lake: [] as Array<number>, postgres: [] as Array<number> }
  const p99 = { half: [] as Array<number>, flush: [] as Array<number> }
  let peak = 0
  for (let round = 0; round < rounds; round++) {
    {
      await using postgres = await startCollector()
      rates.postgres.push((await measure(postgres, one)).okPerSecond)
    }
    let half = 0
    {
      // What the collector accepted is in the lake once it has stopped.
      await using collector = await startCollector(folder.env)
      const measured = await measure(collector, one)
      rates.lake.push(measured.okPerSecond)
      half = measured.okPerSecond / 2
    }
    {
      await using collector = await startCollector({ ...folder.env, ...flushedAfter(3_600) })
      p99.half.push((await measure(collector, { ...one, ratePerSecond: half })).latency.p99)
    }
    // Flushes this many events while clients keep sending at half of the maximum rate.
    const until = FLUSHED / half
    await using flushing = await startCollector({ ...folder.env, ...flushedAfter(Math.max(1, Math.round(until))) })
    const flushed = await measure(flushing, { ...one, seconds: Math.ceil(until * 1.5), ratePerSecond: half })
    const rows = await flushedRows(flushing)
    if (rows < FLUSHED / 2) throw new Error(`only ${rows} rows were flushed during the measurement`)
    p99.flush.push(flushed.latency.p99)
    peak = Math.max(peak, flushing.memory().peak)
  }
  const [ofLake, ofPostgres] = [median(rates.lake), median(rates.postgres)]
  const [still, flushing] = [median(p99.half), median(p99.flush)]
  return [
    {
      what: "lake: ingest to the spool, one process, 256 connections",
      value: perSecond(ofLake),
      against: `to Postgres: ${perSecond(ofPostgres)}`,
      ratio: ofLake / ofPostgres,
      goal: "at least 1",
      met: ofLake >= ofPostgres
    },
    {
      what: "lake: p99 at half of the maximum rate, no flush running",
      value: milliseconds(still),
      against: null,
      ratio: null,
      goal: "under 15 ms",
      met: still < 15
    },
    {
      what: "lake: p99 while about 100,000 events are flushed",
      value: milliseconds(flushing),
      against: `at rest: ${milliseconds(still)}`,
      ratio: flushing / still,
      goal: "less than 20 ms more",
      met: flushing - still < 20
    },
    {
      what: "lake: RSS while about 100,000 events are flushed",
      value: `${Math.round(peak / 1e6)} MB`,
      against: null,
      ratio: null,
      goal: "under 400 MB",
      met: peak < 400e6
    }
  ]
}
