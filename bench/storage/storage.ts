import { Effect, Redacted, References } from "effect"
import type { DatabaseClient } from "../../layers/postgres/client/makeClient.ts"
import { migrate } from "../../layers/postgres/client/migrate.ts"
import { openPool } from "../../layers/postgres/client/openPool.ts"
import { eventParameters, eventRows, INSERT_EVENTS, INSERT_EVENTS_AGAIN } from "../../layers/postgres/events/batch.ts"
import { ensureMonth } from "../../layers/postgres/events/months.ts"
import { makeRowTypes } from "../../layers/postgres/events/rowTypes.ts"
import type { Case } from "../support/Bench.ts"
import { microseconds } from "../support/report.ts"
import { records } from "./records.ts"

const NAME = "footfall_bench_storage"
/** Events per statement: under load, 80 to 1,000 accumulate. */
const BATCH = 500
const EVENT = "product_analytics_event"
const TABLES = [EVENT, "product_analytics_event_data", "product_analytics_session"]

/** Runs with its own database, which is dropped afterwards. */
const withDatabase = <A, E>(server: string, use: (sql: DatabaseClient) => Effect.Effect<A, E>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const admin = yield* openPool({ url: Redacted.make(server), embedded: false }, {}, { maxConnections: 1 })
      yield* admin.unsafe(`DROP DATABASE IF EXISTS ${NAME}`)
      yield* admin.unsafe(`CREATE DATABASE ${NAME}`)
      yield* Effect.addFinalizer(() => Effect.ignore(admin.unsafe(`DROP DATABASE IF EXISTS ${NAME} WITH (FORCE)`)))
      const url = new URL(server)
      url.pathname = `/${NAME}`
      const sql = yield* openPool(
        { url: Redacted.make(url.href), embedded: false },
        { synchronous_commit: "on", jit: "off" },
        { maxConnections: 1 }
      )
      yield* migrate(sql)
      yield* ensureMonth(sql, Date.now())
      return yield* use(sql)
    })
  )

const size = (sql: DatabaseClient, table: string) =>
  Effect.map(
    sql.unsafe<{ bytes: number }>(
      `SELECT sum(pg_total_relation_size(relid))::float8 AS bytes FROM pg_partition_tree('${table}') WHERE isleaf`
    ),
    (rows) => rows[0]!.bytes
  )

export const storage: Case = async ({ databaseUrl, short }) => {
  const batches = short ? 40 : 400
  const events = batches * BATCH
  const measured = await Effect.runPromise(
    withDatabase(databaseUrl, (sql) =>
      Effect.gen(function* () {
        const rowTypes = makeRowTypes(sql)
        const empty = yield* Effect.forEach(TABLES, (table) => size(sql, table))
        const write = Effect.fnUntraced(function* (statement: string) {
          let cpu = 0
          let writing = 0
          for (let batch = 0; batch < batches; batch++) {
            const made = records(BATCH, Date.now())
            const before = process.cpuUsage()
            const started = performance.now()
            const rows = eventRows(made, () => false)
            yield* rowTypes.use((parameter) => sql.unsafe(statement, eventParameters(rows, parameter)))
            writing += performance.now() - started
            const used = process.cpuUsage(before)
            cpu += (used.user + used.system) / 1_000
          }
          return { cpu, writing }
        })
        const { cpu, writing } = yield* write(INSERT_EVENTS)
        const sizes = yield* Effect.forEach(TABLES, (table, index) =>
          Effect.map(size(sql, table), (bytes) => (bytes - empty[index]!) / events)
        )
        // The same rows again, from unlogged tables without indexes: nothing is parsed and nothing is sent.
        for (const table of TABLES) {
          yield* sql.unsafe(`CREATE UNLOGGED TABLE staged_${table} AS SELECT * FROM ${table}`)
          yield* sql.unsafe(`ALTER TABLE staged_${table} ADD COLUMN batch integer`)
          yield* sql.unsafe(
            `UPDATE staged_${table} AS s SET batch = n.batch FROM (SELECT ctid, ntile(${batches}) OVER (ORDER BY created_at, ${
              table === "product_analytics_session" ? "session_id" : "event_id"
            }) AS batch FROM staged_${table}) AS n WHERE n.ctid = s.ctid`
          )
          yield* sql.unsafe(`CREATE INDEX ON staged_${table} (batch)`)
          yield* sql.unsafe(`ANALYZE staged_${table}`)
        }
        yield* sql.unsafe(`TRUNCATE ${TABLES.join(", ")}`)
        const columns = yield* Effect.forEach(TABLES, (table) =>
          Effect.map(
            sql.unsafe<{ list: string }>(
              `SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) AS list FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name = '${table}'`
            ),
            (rows) => rows[0]!.list
          )
        )
        const copy = TABLES.map(
          (table, index) =>
            `copied_${index} AS (INSERT INTO ${table} (${columns[index]}) SELECT ${columns[index]} FROM staged_${table} WHERE batch = $1)`
        ).join(", ")
        const started = performance.now()
        for (let batch = 1; batch <= batches; batch++) yield* sql.unsafe(`WITH ${copy} SELECT 1`, [batch])
        const copying = performance.now() - started
        const again = yield* write(INSERT_EVENTS_AGAIN)
        return { cpu, writing, again: again.writing, copying, sizes }
      })
    ).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))
  )
  const each = (ms: number) => (ms * 1_000) / events
  const [event, data, session] = measured.sizes
  const ratio = measured.writing / measured.copying
  return [
    {
      what: `a statement of ${BATCH} events, one connection (of which ${microseconds(each(measured.cpu))} each in the sending process)`,
      value: `${microseconds(each(measured.writing))} per event`,
      against: `the same rows copied inside the server: ${microseconds(each(measured.copying))}`,
      ratio,
      goal: "at most 2",
      met: ratio <= 2
    },
    {
      what: "the same, checking for events that already exist",
      value: `${microseconds(each(measured.again))} per event`,
      against: `without checking: ${microseconds(each(measured.writing))}`,
      ratio: measured.again / measured.writing,
      goal: "none",
      met: true
    },
    {
      what: "an event on disk, including its indexes",
      value: `${Math.round(event!)} B`,
      against: `with properties and session: ${Math.round(event! + data! + session!)} B`,
      ratio: null,
      goal: "at most 380 B",
      met: event! <= 380
    }
  ]
}
