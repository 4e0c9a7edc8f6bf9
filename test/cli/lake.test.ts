import { expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { until } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { footfall } from "./support.ts"

setDefaultTimeout(180_000)

const DAY_S = 86_400

/** An instance with a lake in a folder. */
const makeInstance = async (all: AsyncDisposableStack) => {
  const folder = mkdtempSync(join(tmpdir(), "footfall-lake-"))
  all.defer(() => rmSync(folder, { recursive: true, force: true }))
  const warehouse = join(folder, "lake")
  const environment = {
    ...(await prepareInstance(Redacted.value(await freshDatabase()))),
    STORAGE_BACKEND: "iceberg",
    SPOOL_DIR: join(folder, "spool"),
    PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${warehouse}`,
    PRODUCT_ANALYTICS_ICEBERG_FLUSH_INTERVAL_SECONDS: "3600"
  }
  const lake = (...args: ReadonlyArray<string>) => footfall(["lake", ...args], environment)
  const start = async () => all.use(await Footfall.start({ environment }))
  const namespace = join(warehouse, "product_analytics")
  /** The folder of the table of events. */
  const events = () => join(namespace, readdirSync(namespace).find((name) => name.startsWith("pa_events-"))!)
  return { environment, lake, start, events }
}

const send = async (collector: Footfall, count: number, timestamp?: number): Promise<void> => {
  const payload = {
    website: SITE,
    hostname: "shop.example",
    url: "/",
    ...(timestamp === undefined ? {} : { timestamp })
  }
  const response = await fetch(`${collector.url}/api/batch`, {
    method: "POST",
    headers: { "user-agent": FIREFOX },
    body: JSON.stringify(Array.from({ length: count }, () => ({ type: "event", payload })))
  })
  expect(await response.json()).toMatchObject({ processed: count, errors: 0 })
}

const filesIn = (folder: string, ending: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))

test("the command line shows, flushes, verifies and maintains a lake", async () => {
  await using all = new AsyncDisposableStack()
  const { events, lake, start } = await makeInstance(all)

  const empty = await lake("status")
  expect(empty).toMatchObject({ code: 0, err: "" })
  expect(empty.out).toBe(
    "Catalog footfall (jdbc)\n\nThe lake has no tables yet. The first flush creates them.\n\nNo collector writes to the lake.\n"
  )
  expect((await lake("flush")).out).toBe("No running collector writes to the lake.\n")

  const collector = await start()
  await send(collector, 20)
  const yesterday = Math.floor(Date.now() / 1_000) - 2 * DAY_S
  await until("the collector reports", async () =>
    /\n\S+ +\S+\/spool\/0 +running +\d+\.\d kB +never\n/.test((await lake("status")).out)
  )
  expect((await lake("flush")).out).toBe("1 collector flushed.\n")
  for (let round = 0; round < 3; round++) {
    await send(collector, 5, yesterday)
    expect(JSON.parse((await lake("flush", "--json")).out)).toEqual({ collectors: 1, flushed: true })
  }

  const status = JSON.parse((await lake("status", "--json")).out)
  expect(status).toMatchObject({
    catalog: { type: "jdbc", name: "footfall" },
    tables: [
      { name: "pa_events", rows: 35, files: 4, snapshots: 4, manifests: 4 },
      { name: "pa_sessions" },
      { name: "pa_session_data", rows: 0, snapshots: 0, snapshot_id: null }
    ],
    collectors: [{ running: true, backlog_bytes: 0, failure: null }]
  })

  expect((await lake("verify")).out).toMatch(
    /^pa_events: 4 files, 35 rows, \d+\.\d kB read; no problems\.\npa_sessions: /
  )
  expect((await lake("compact", "--dry-run", "--table", "pa_events")).out).toMatch(
    /^pa_events: 3 files \(\d+\.\d kB, 15 rows\) would become 1\.\n$/
  )
  expect((await lake("compact", "--table", "pa_events")).out).toMatch(
    /^pa_events: 3 files \(\d+\.\d kB, 15 rows\) became 1 \(\d+\.\d kB\)\.\n$/
  )
  expect((await lake("compact")).out).toBe(
    "pa_events: nothing to compact.\npa_sessions: nothing to compact.\npa_session_data: nothing to compact.\n"
  )

  const orphan = join(events(), "data", "lost.parquet")
  writeFileSync(orphan, "lost")
  expect((await lake("orphans", "--table", "pa_events")).out).toMatch(/^pa_events: no orphans among \d+ files\.\n$/)
  utimesSync(orphan, new Date(0), new Date(0))
  expect((await lake("orphans", "--table", "pa_events", "--dry-run")).out).toMatch(
    new RegExp(`^pa_events: 1 orphan \\(4 B\\) among \\d+ files would be removed\\.\\n {2}file://${orphan}\\n$`)
  )
  expect((await lake("orphans")).out).toStartWith("pa_events: 1 orphan (4 B) among ")
  expect(filesIn(events(), "lost.parquet")).toEqual([])

  const foreign = join(events(), "metadata", "00007-other.metadata.json")
  writeFileSync(foreign, '{"format-version": 2, "table-uuid": "0198e5a4-0000-4000-8000-000000000001"}')
  writeFileSync(orphan, "of the other table")
  utimesSync(orphan, new Date(0), new Date(0))
  const refused = await lake("orphans", "--table", "pa_events", "--json")
  expect(refused.code).toBe(1)
  expect(JSON.parse(refused.out)).toMatchObject([{ files: [], refused: [expect.stringContaining(foreign)] }])
  expect(filesIn(events(), "lost.parquet")).toEqual([orphan])

  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
  expect((await lake("status")).out).toEndWith("\nNo collector writes to the lake.\n")
})

test("a dry run of lake expire changes nothing", async () => {
  await using all = new AsyncDisposableStack()
  const { environment, events, lake, start } = await makeInstance(all)
  const collector = await start()
  const old = Math.floor(Date.now() / 1_000) - 5 * DAY_S
  for (let round = 0; round < 3; round++) {
    await send(collector, 2, old)
    await until("flushed", async () => (await lake("flush")).out === "1 collector flushed.\n")
  }
  await lake("compact")
  const expire = (...args: ReadonlyArray<string>) =>
    footfall(["lake", "expire", "--table", "pa_events", ...args], {
      ...environment,
      PRODUCT_ANALYTICS_ICEBERG_SNAPSHOTS_MIN: "1",
      PRODUCT_ANALYTICS_ICEBERG_SNAPSHOT_MAX_AGE_SECONDS: "60"
    })
  expect((await expire("--dry-run")).out).toBe("pa_events: nothing to expire.\n")
  expect(filesIn(events(), ".parquet").length).toBe(4)
})

test("lake verify names a damaged file and exits with 1", async () => {
  await using all = new AsyncDisposableStack()
  const { events, lake, start } = await makeInstance(all)
  const collector = await start()
  await send(collector, 3)
  await until("flushed", async () => (await lake("flush")).out === "1 collector flushed.\n")
  const [file] = filesIn(events(), ".parquet")
  truncateSync(file!, readFileSync(file!).length - 100)
  const damaged = await lake("verify", "--table", "pa_events")
  expect(damaged.code).toBe(1)
  expect(damaged.out).toContain(`  file://${file}: the file cannot be read: `)
  const json = await lake("verify", "--json")
  expect(json.code).toBe(1)
  expect(JSON.parse(json.out)[0]).toMatchObject({ table: "pa_events", problems: [expect.stringContaining(file!)] })
})

test("after a switch of the backend, doctor reports the spool that is left and lake status what collectors left", async () => {
  await using all = new AsyncDisposableStack()
  const { environment, lake, start } = await makeInstance(all)
  const collector = await start()
  await send(collector, 3)
  await until("the collector reports", async () => / running +\d+\.\d kB /.test((await lake("status")).out))
  await collector.kill()
  const { code, out } = await footfall(["doctor", "--json", "--url", "http://localhost:1"], {
    ...environment,
    STORAGE_BACKEND: "postgres"
  })
  expect(code).toBe(1)
  const { checks } = JSON.parse(out) as { checks: ReadonlyArray<{ about: string; state: string; found: string }> }
  expect(checks.find(({ about }) => about === "spool")).toMatchObject({
    state: "bad",
    found: expect.stringMatching(/\/spool\/0 has \d+ bytes of events that are not in the lake$/)
  })
  const unreachable = await footfall(["lake", "status", "--json"], {
    ...environment,
    PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: "file:///proc/none"
  })
  expect(unreachable.code).toBe(1)
  const status = JSON.parse(unreachable.out)
  expect(status.checks).toContainEqual({
    part: "folder",
    state: "bad",
    message: expect.stringMatching(/^file:\/\/\/proc\/none can't be written to: /)
  })
  expect(status.checks).toContainEqual({ part: "catalog", state: "ok", message: "the jdbc catalog answers" })
  expect(status.collectors).toMatchObject([{ folder: expect.stringContaining("/spool/0") }])
})

test("events of a collector that was killed before it reported them are shown, and lake flush exits with 1", async () => {
  await using all = new AsyncDisposableStack()
  const { environment, lake, start } = await makeInstance(all)
  const collector = await start()
  await send(collector, 3)
  await collector.kill()
  // As if the last report had been an hour ago, and before the events.
  await using database = await connect(environment.DATABASE_URL)
  await database.query(
    "UPDATE product_analytics_lake_writer SET seen_at = now() - interval '1 hour', backlog_bytes = 0"
  )
  const { collectors } = JSON.parse((await lake("status", "--json")).out)
  expect(collectors).toMatchObject([{ folder: expect.stringContaining("/spool/0") }])
  expect(collectors[0].backlog_bytes).toBeGreaterThan(0)
  const flush = await lake("flush")
  expect(flush.code).toBe(1)
  expect(flush.out).toMatch(/\/spool\/0/)
})

test("lake flush waits for a collector that was just killed only until it counts as gone, and says what it waits for", async () => {
  await using all = new AsyncDisposableStack()
  const { environment, lake, start } = await makeInstance(all)
  const collector = await start()
  await send(collector, 3)
  await until("the collector reports", async () => / running +\d+\.\d kB /.test((await lake("status")).out))
  await collector.kill()
  // As if its last report had been some seconds ago. What remains of the 15 must outlast the start of a command on a busy machine.
  await using database = await connect(environment.DATABASE_URL)
  await database.query("UPDATE product_analytics_lake_writer SET seen_at = now() - interval '9 seconds'")
  const before = performance.now()
  const flush = await lake("flush")
  expect(performance.now() - before).toBeLessThan(45_000)
  expect(flush.code).toBe(1)
  expect(flush.err).toMatch(/0 of 1 collector flushed; waiting for \S+ \(\S+\/spool\/0\)/)
  expect(flush.out).toMatch(
    /^None of 1 collector flushed\.\n\S+: [\d.]+ kB remain in \S+\/spool\/0\. The collector is gone: start one with that folder to flush them\.\n$/
  )
})

test("a lake command with a missing setting exits with 2 and names the setting", async () => {
  const url = Redacted.value(await freshDatabase())
  const refused = await footfall(["lake", "status"], { DATABASE_URL: url, STORAGE_BACKEND: "iceberg" })
  expect(refused).toMatchObject({ code: 2, out: "" })
  expect(refused.err).toContain("PRODUCT_ANALYTICS_ICEBERG_S3_BUCKET is missing")
  const withoutLake = await footfall(["lake", "status"], { DATABASE_URL: url })
  expect(withoutLake).toMatchObject({ code: 2, out: "" })
  expect(withoutLake.err).toContain("There is no lake: STORAGE_BACKEND is postgres.")
})
