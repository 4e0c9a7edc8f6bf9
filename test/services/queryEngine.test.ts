import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Fiber, Layer, Redacted, Scope, Stream } from "effect"
import { makeDuckDbQueryEngine } from "../../layers/duckdb/DuckDbQueryEngine.ts"
import { makeTrinoQueryEngine } from "../../layers/trino/TrinoQueryEngine.ts"
import { dropDatabase, ensureDatabase, withServer } from "../../scripts/services/database.ts"
import { duckdbExtensions } from "../../scripts/services/engines.ts"
import { endpoint } from "../../scripts/services/place.ts"
import { emptyLake } from "../../scripts/services/seaweedfs.ts"
import { QueryEngine, QueryError, type QueryParameter, type QueryValue } from "../../src/ports/QueryEngine.ts"
import { CHANNEL_PARAMETERS, EVENT_CHANNEL_INPUT, eventsWithChannel } from "../../src/query/channel/channel.ts"
import { type OverviewQuery, overview } from "../../src/query/overview.ts"
import { CHANNEL_CASES } from "../query/channelCases.ts"
import { allowing, until } from "../support/eventually.ts"
import { fillPostgres, pgWarehouse } from "../support/postgres/pgWarehouse.ts"
import { freshDatabase, openClient } from "../support/postgres/postgres.ts"
import { areUp } from "./areUp.ts"
import { lakeCatalog, s3Access } from "./engines/EngineCatalog.ts"
import { pyiceberg } from "./engines/pyiceberg.ts"
import { createTrinoCatalog, dropTrinoCatalog, trinoQuery } from "./engines/trino.ts"
import { EVENTS, SESSIONS, SITE } from "./fixture.ts"

setDefaultTimeout(180_000)

const up = await areUp("postgres", "seaweedfs", "trino")
const own = `queries_${process.pid}`
const schema = "product_analytics"
const DEADLINE_MS = 20_000
const SHORT_MS = 1_500

type Engine = QueryEngine["Service"]
interface TestEngine {
  readonly engine: Engine
  /** The same engine with a short deadline. */
  readonly impatient: Engine
  /** A statement that runs practically forever. */
  readonly endless: string
  /** How many endless statements the engine is running; null if it does not say. */
  readonly running: (() => Promise<number>) | null
}

const scope = Scope.makeUnsafe()
const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Scope.provide(effect, scope))

const DUCKDB_CHILD = new URL("../../src/duckDbChild.ts", import.meta.url)

const columnOf = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const quoted = (value: string | null) => (value === null ? "NULL" : `'${value}'`)

const lakeTables = lakeCatalog({ name: own, database: own, warehouse: `s3://lake/${own}` })

/** The columns of an event that its channel depends on. */
const SOURCE_COLUMNS = [
  "referrer_domain",
  "hostname",
  "url_query",
  "utm_source",
  "utm_medium",
  "utm_campaign",
  "utm_content",
  "utm_term",
  "gclid",
  "msclkid",
  "ttclid",
  "li_fat_id",
  "twclid"
]

const fillLake = async () => {
  // Trino does not create the tables of a JDBC catalog, and cannot use it without them.
  await pyiceberg.create({ catalog: lakeTables, table: `${schema}.first` })
  await pyiceberg.append({ catalog: lakeTables, table: `${schema}.first`, rows: 300 })
  await trinoQuery(
    `CREATE TABLE ${own}.${schema}.pa_events (event_id varchar, site_id varchar, session_id varchar, visit_id varchar, event_time timestamp(6) with time zone, event_type integer, event_name varchar, url_path varchar, ${SOURCE_COLUMNS.map((column) => `${column} varchar`).join(", ")}, revenue decimal(19, 4), properties map(varchar, varchar)) WITH (partitioning = ARRAY['day(event_time)', 'site_id'])`
  )
  await trinoQuery(
    `CREATE TABLE ${own}.${schema}.pa_sessions (session_id varchar, site_id varchar, country varchar, created_at timestamp(6) with time zone)`
  )
  const events = EVENTS.map(
    ({ event, name, path, session, site, time, type, visit }) =>
      `(${[event, site, session, visit].map(quoted).join(", ")}, TIMESTAMP '${time.replace("T", " ").replace("Z", " UTC")}', ${type}, ${quoted(name)}, ${quoted(path)})`
  )
  await trinoQuery(
    `INSERT INTO ${own}.${schema}.pa_events (event_id, site_id, session_id, visit_id, event_time, event_type, event_name, url_path) VALUES ${events}`
  )
  // The row of a later event of each session has another country, which must not count.
  const sessions = SESSIONS.flatMap(({ country, session, site }) => [
    `(${quoted(session)}, ${quoted(site)}, 'DE', TIMESTAMP '2026-03-28 00:00:02 UTC')`,
    `(${quoted(session)}, ${quoted(site)}, ${country === null ? "''" : quoted(country)}, TIMESTAMP '2026-03-28 00:00:01 UTC')`
  ])
  await trinoQuery(`INSERT INTO ${own}.${schema}.pa_sessions VALUES ${sessions}`)
}

const locate = (table: string) =>
  Effect.promise(() =>
    withServer(async (sql) => {
      const [row] = await sql`SELECT metadata_location FROM iceberg_tables WHERE table_name = ${table}`
      return String(row.metadata_location)
    }, own)
  )

const postgres = async (): Promise<TestEngine> => {
  const url = await freshDatabase()
  const sql = await inScope(openClient(url, 1))
  await Effect.runPromise(fillPostgres(sql))
  const engine = async (seconds: number) =>
    Context.get(await inScope(Layer.build(pgWarehouse(url, seconds))), QueryEngine)
  return {
    engine: await engine(DEADLINE_MS / 1_000),
    impatient: await engine(1),
    endless: "SELECT 1 AS one FROM pg_sleep(600)",
    running: async () => {
      const statement =
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
      const rows = await Effect.runPromise(sql.unsafe<{ n: number }>(statement))
      return rows[0]!.n
    }
  }
}

const trino = async (): Promise<TestEngine> => {
  const options = {
    url: endpoint.trino(),
    user: "test",
    password: null,
    catalog: own,
    schema,
    exportDeadlineMs: DEADLINE_MS
  }
  const many = "UNNEST(sequence(1, 10000))"
  return {
    engine: await Effect.runPromise(makeTrinoQueryEngine({ ...options, deadlineMs: DEADLINE_MS })),
    impatient: await Effect.runPromise(makeTrinoQueryEngine({ ...options, deadlineMs: SHORT_MS })),
    endless: `SELECT count(*) AS endless FROM ${many} CROSS JOIN ${many} CROSS JOIN ${many}`,
    running: async () => {
      const statement =
        "SELECT count(*) FROM system.runtime.queries WHERE state IN ('QUEUED', 'RUNNING') AND query LIKE 'SELECT count(*) AS endless%'"
      return Number((await trinoQuery(statement)).rows[0]![0])
    }
  }
}

const duckdbOptions = async () => {
  const s3 = s3Access()
  return {
    locate,
    exportDeadlineMs: DEADLINE_MS,
    asOf: Effect.map(locate("pa_events"), (version) => ({ time: "2026-03-28T00:00:00.000000Z", version })),
    s3: Effect.succeed({ ...s3, secretAccessKey: Redacted.make(s3.secretAccessKey) }),
    entry: DUCKDB_CHILD,
    extensionFolder: await duckdbExtensions(),
    memoryLimit: "512MB"
  }
}

const duckdb = async (): Promise<TestEngine> => {
  const options = await duckdbOptions()
  return {
    engine: await inScope(makeDuckDbQueryEngine({ ...options, deadlineMs: DEADLINE_MS })),
    impatient: await inScope(makeDuckDbQueryEngine({ ...options, deadlineMs: SHORT_MS })),
    endless: "SELECT sum((a.range * b.range) % 7) AS n FROM range(1000000) a, range(1000000) b",
    running: null
  }
}

beforeAll(async () => {
  if (!up) return
  await ensureDatabase(own)
  await createTrinoCatalog(own, lakeTables)
  await fillLake()
}, 300_000)

afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  if (!up) return
  await dropTrinoCatalog(own)
  await dropDatabase(own)
  await emptyLake(`${own}/`)
})

/** Queries with their pageviews, visitors, visits, bounces and seconds. */
const OVERVIEWS: ReadonlyArray<
  readonly [range: string, query: Partial<OverviewQuery>, numbers: ReadonlyArray<number>]
> = [
  ["four days", {}, [14, 5, 10, 6, 840]],
  ["visitors from one country", { country: "DE" }, [5, 1, 3, 1, 750]],
  ["one path, on which every visit has one view", { path: "/pricing" }, [4, 3, 4, 4, 0]],
  ["the last two days", { from: "2026-03-30T00:00:00Z" }, [6, 4, 5, 4, 20]],
  ["the first two days", { until: "2026-03-30T00:00:00Z" }, [8, 4, 5, 2, 820]],
  ["a range that begins within a visit", { from: "2026-03-28T22:51:00Z" }, [13, 5, 10, 7, 720]],
  ["a range that ends within a millisecond", { until: "2026-03-31T23:59:59.999000Z" }, [13, 5, 9, 5, 840]],
  ["one channel", { channel: "direct" }, [14, 5, 10, 6, 840]],
  ["a channel without events", { channel: "llm" }, [0, 0, 0, 0, 0]],
  ["days without events", { from: "2027-01-01T00:00:00Z", until: "2027-02-01T00:00:00Z" }, [0, 0, 0, 0, 0]]
]

const VALUES = {
  postgres:
    "SELECT 9007199254740993::bigint AS big, 42 AS small, 1.5::numeric(19, 4) AS amount, '2026-03-28 22:50:00.123456+01'::timestamptz AS moment, DATE '2026-03-28' AS day, true AS yes, 0.5::float8 AS half, 'größe 🎈''' AS text, NULL::text AS nothing",
  trino:
    "SELECT BIGINT '9007199254740993' AS big, 42 AS small, CAST(1.5 AS decimal(19, 4)) AS amount, TIMESTAMP '2026-03-28 21:50:00.123456 UTC' AS moment, DATE '2026-03-28' AS day, true AS yes, 0.5e0 AS half, 'größe 🎈''' AS text, CAST(NULL AS varchar) AS nothing",
  duckdb:
    "SELECT 9007199254740993::BIGINT AS big, 42 AS small, 1.5::DECIMAL(19, 4) AS amount, '2026-03-28 22:50:00.123456+01'::TIMESTAMPTZ AS moment, DATE '2026-03-28' AS day, true AS yes, 0.5::DOUBLE AS half, 'größe 🎈''' AS text, NULL::VARCHAR AS nothing"
}

describe.skipIf(!up).each([
  ["Postgres", postgres],
  ["Trino", trino],
  ["DuckDB", duckdb]
])("%s as a query engine", (_, make) => {
  let tested: TestEngine
  beforeAll(async () => {
    tested = await make()
  }, 180_000)

  const run = (sql: string, parameters: ReadonlyArray<QueryParameter> = [], maxRows?: number) =>
    tested.engine.run({ sql, parameters, tables: [], ...(maxRows === undefined ? {} : { maxRows }) })
  const failureOf = async (effect: Effect.Effect<unknown, QueryError>) => {
    const error = await Effect.runPromise(Effect.flip(effect))
    expect(error).toBeInstanceOf(QueryError)
    return error.reason
  }

  test.each(OVERVIEWS)("the overview is exact for %s", async (_, changes, numbers) => {
    const { dialect } = tested.engine
    const query = { site: SITE, from: "2026-03-28T00:00:00Z", until: "2026-04-01T00:00:00Z", ...changes }
    const result = await Effect.runPromise(tested.engine.run(overview(dialect, query)))
    expect(result.columns.map(({ name }) => name)).toEqual(["pageviews", "visitors", "visits", "bounces", "total_time"])
    expect(result.columns.every(({ type }) => type === "integer")).toBe(true)
    expect(result.rows as unknown).toEqual([numbers])
  })

  test("an event's channel is the same by every rule", async () => {
    const { dialect } = tested.engine
    const expected = CHANNEL_CASES.flatMap(([channel, sources]) => sources.map((source) => ({ channel, source })))
    const rowOf = (source: object, position: number): string => {
      const record = new Map(Object.entries(source).map(([field, value]) => [columnOf(field), quoted(String(value))]))
      return `(${position}, ${SOURCE_COLUMNS.map((column) => `CAST(${record.get(column) ?? "NULL"} AS varchar)`)})`
    }
    const input = CHANNEL_PARAMETERS.map((name) => EVENT_CHANNEL_INPUT[name])
    const from =
      dialect === "postgres"
        ? `(SELECT position, product_analytics_channel(${input}) AS channel FROM pa_events) AS event`
        : eventsWithChannel(dialect)
    // Trino computes constants while it plans, which takes long for many.
    const chunk = 60
    for (let start = 0; start < expected.length; start += chunk) {
      const part = expected.slice(start, start + chunk)
      const rows = part.map(({ source }, position) => rowOf(source, position))
      const { rows: found } = await Effect.runPromise(
        run(
          `WITH pa_events (position, ${SOURCE_COLUMNS}) AS (VALUES ${rows}) SELECT channel FROM ${from} ORDER BY position`
        )
      )
      expect(found.map(([channel], index) => [part[index]!.source, channel])).toEqual(
        part.map(({ channel, source }) => [source, channel])
      )
    }
  })

  test("values keep every digit in the result", async () => {
    const result = await Effect.runPromise(run(VALUES[tested.engine.dialect]))
    expect(result.columns.map(({ type }) => type)).toEqual([
      "integer",
      "integer",
      "decimal",
      "timestamp",
      "date",
      "boolean",
      "float",
      "text",
      "text"
    ])
    const row: ReadonlyArray<QueryValue> = [
      9007199254740993n,
      42,
      "1.5000",
      "2026-03-28T21:50:00.123456Z",
      "2026-03-28",
      true,
      0.5,
      "größe 🎈'",
      null
    ]
    expect(result.rows).toEqual([row])
  })

  test("parameters are passed as values, whatever they contain", async () => {
    const parameters: ReadonlyArray<QueryParameter> = [
      { type: "text", value: "'); DROP TABLE x; -- \\ ? $1 🎈" },
      { type: "integer", value: 9007199254740993n },
      { type: "timestamp", value: "2026-03-28T22:50:00.123456Z" },
      { type: "boolean", value: false },
      { type: "decimal", value: "-12.3456" }
    ]
    const names = ["text", "bigint", "timestamptz", "boolean", "numeric(19, 4)"]
    const placeholders = parameters.map((_, index) =>
      tested.engine.dialect === "trino" ? "?" : `CAST($${index + 1} AS ${names[index]})`
    )
    const { rows } = await Effect.runPromise(
      run(`SELECT ${placeholders.map((placeholder, index) => `${placeholder} AS c${index}`).join(", ")}`, parameters)
    )
    const row: ReadonlyArray<QueryValue> = [
      "'); DROP TABLE x; -- \\ ? $1 🎈",
      9007199254740993n,
      "2026-03-28T22:50:00.123456Z",
      false,
      "-12.3456"
    ]
    expect(rows).toEqual([row])
  })

  test("a result without rows has its columns", async () => {
    const result = await Effect.runPromise(run("SELECT 1 AS one WHERE 1 = 2"))
    expect(result).toEqual({ columns: [{ name: "one", type: "integer" }], rows: [] })
  })

  test("a query with invalid SQL or unknown names is Invalid", async () => {
    expect(await failureOf(run("SELEC 1"))).toBe("Invalid")
    expect(await failureOf(run("SELECT nothing FROM no_table"))).toBe("Invalid")
  })

  test("a result with more rows than allowed is TooLarge", async () => {
    const rows = "SELECT * FROM (VALUES (1), (2), (3)) AS t (n)"
    expect((await Effect.runPromise(run(rows, [], 3))).rows).toHaveLength(3)
    expect(await failureOf(run(rows, [], 2))).toBe("TooLarge")
  })

  test("a stream has the rows of a query in order, at the pace of its reader", async () => {
    const { dialect } = tested.engine
    const numbers = dialect === "trino" ? "UNNEST(sequence(1, 10000)) AS t (n)" : "generate_series(1, 10000) AS t (n)"
    // Wide enough for several pages of Trino.
    const sql = `SELECT n, rpad('x', 500, 'x') AS wide FROM ${numbers} ORDER BY n`
    const stream = tested.engine.stream({ sql, parameters: [], tables: [] })
    const chunks = await Effect.runPromise(Stream.runCollect(stream))
    expect(chunks.length).toBeGreaterThan(1)
    expect(chunks.flatMap(({ rows }) => rows.map(([n]) => Number(n)))).toEqual(
      Array.from({ length: 10_000 }, (_, index) => index + 1)
    )
    const first = await Effect.runPromise(Stream.runCollect(Stream.take(stream, 1)))
    expect(first).toHaveLength(1)
    const empty = tested.engine.stream({ sql: "SELECT 1 AS one WHERE 1 = 2", parameters: [], tables: [] })
    expect(await Effect.runPromise(Stream.runCollect(empty))).toEqual([
      { columns: [{ name: "one", type: "integer" }], rows: [] }
    ])
    const limited = tested.engine.stream({
      sql: `SELECT n FROM ${numbers}`,
      parameters: [],
      tables: [],
      maxRows: 9_999
    })
    expect(await failureOf(Stream.runDrain(limited))).toBe("TooLarge")
  })

  test("data that did not change has the same version", async () => {
    const [first, second] = [await Effect.runPromise(tested.engine.asOf), await Effect.runPromise(tested.engine.asOf)]
    expect(first.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(second.version).toBe(first.version)
  })

  test("a query that exceeds its deadline is canceled in the engine", async () => {
    const startedAt = performance.now()
    expect(await failureOf(tested.impatient.run({ sql: tested.endless, parameters: [], tables: [] }))).toBe("Timeout")
    expect(performance.now() - startedAt).toBeLessThan(SHORT_MS + allowing(3_000))
    if (tested.running !== null)
      await until(
        () => "no endless statement runs",
        async () => (await tested.running!()) === 0,
        20_000
      )
    expect((await Effect.runPromise(run("SELECT 7 AS n"))).rows).toEqual([[7]])
  })

  test("interrupting a query cancels it in the engine", async () => {
    const fiber = Effect.runFork(tested.engine.run({ sql: tested.endless, parameters: [], tables: [] }))
    if (tested.running !== null) {
      await until(
        () => "the endless statement runs",
        async () => (await tested.running!()) === 1,
        20_000
      )
    } else await Effect.runPromise(run("SELECT 7 AS n"))
    await Effect.runPromise(Fiber.interrupt(fiber))
    if (tested.running !== null)
      await until(
        () => "no endless statement runs",
        async () => (await tested.running!()) === 0,
        20_000
      )
    const results = await Promise.all([1, 2, 3].map(() => Effect.runPromise(run("SELECT 7 AS n"))))
    expect(results.map(({ rows }) => rows)).toEqual([[[7]], [[7]], [[7]]])
  })

  test("the event loop continues while the engine works", async () => {
    const fiber = Effect.runFork(tested.engine.run({ sql: tested.endless, parameters: [], tables: [] }))
    let longest = 0
    let last = performance.now()
    const ticks = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    await Effect.runPromise(run("SELECT 7 AS n"))
    await Effect.runPromise(Fiber.interrupt(fiber))
    clearInterval(ticks)
    expect(longest).toBeLessThan(allowing(500))
  })
})

test("Postgres runs queries on the views only, without changing anything", async () => {
  const { engine } = await postgres()
  const reasonOf = (sql: string) =>
    Effect.runPromise(
      Effect.flip(engine.run({ sql, parameters: [], tables: [] })).pipe(
        Effect.map(({ message, reason }) => [reason, message])
      )
    )
  const result = await Effect.runPromise(
    engine.run({ sql: "SELECT count(*) AS n FROM v_pa_events", parameters: [], tables: [] })
  )
  expect(result.rows).toEqual([[EVENTS.length]])
  expect(await reasonOf("SELECT * FROM product_analytics_event")).toEqual([
    "Invalid",
    "Postgres: permission denied for table product_analytics_event (42501)"
  ])
  expect((await reasonOf("WITH gone AS (DELETE FROM v_pa_events RETURNING 1) SELECT * FROM gone"))[0]).toBe("Invalid")
  expect((await reasonOf("SELECT 1; RESET ROLE"))[0]).toBe("Invalid")
})

test.skipIf(!up)("Trino and DuckDB return the same rows of the lake", async () => {
  const sql = `SELECT * FROM "first" ORDER BY event_id`
  const [fromTrino, fromDuckDb] = await Promise.all(
    [await trino(), await duckdb()].map(({ engine }) =>
      Effect.runPromise(engine.run({ sql, parameters: [], tables: ["first"] }))
    )
  )
  expect(fromTrino!.rows).toHaveLength(300)
  expect(fromTrino!.columns.map(({ type }) => type)).toContain("map")
  expect(
    fromTrino!.rows
      .flat()
      .some((value) => value !== null && typeof value === "object" && Object.values(value).includes(null))
  ).toBe(true)
  expect(fromDuckDb).toEqual(fromTrino!)
})

describe.skipIf(!up)("DuckDB on a lake", () => {
  const first = { sql: `SELECT count(*) AS n FROM "first"`, parameters: [], tables: ["first"] }
  const withOptions = async (more: object) =>
    inScope(makeDuckDbQueryEngine({ ...(await duckdbOptions()), deadlineMs: DEADLINE_MS, ...more }))
  const failureWith = async (more: object) => Effect.runPromise(Effect.flip((await withOptions(more)).run(first)))

  test("DuckDB is Unavailable while S3 is unreachable or rejects the keys", async () => {
    const { s3 } = await duckdbOptions()
    const unreachable = Effect.map(s3, (access) => ({ ...access, endpoint: "http://127.0.0.1:1" }))
    expect(await failureWith({ s3: unreachable })).toMatchObject({ reason: "Unavailable" })
    const wrong = Effect.map(s3, (access) => ({ ...access, secretAccessKey: Redacted.make("wrong") }))
    const refused = await failureWith({ s3: wrong })
    expect(refused).toMatchObject({ reason: "Unavailable" })
    expect(refused.message).not.toContain("wrong")
  })

  test("DuckDB looks up keys and locations again for each query", async () => {
    const { locate, s3 } = await duckdbOptions()
    const lookups: Array<string> = []
    const engine = await withOptions({
      s3: Effect.tap(s3, () => Effect.sync(() => lookups.push("keys"))),
      locate: (table: string) => Effect.tap(locate(table), () => Effect.sync(() => lookups.push(table)))
    })
    for (let repetition = 0; repetition < 2; repetition++)
      expect((await Effect.runPromise(engine.run(first))).rows).toEqual([[300]])
    expect(lookups).toEqual(["keys", "first", "keys", "first"])
  })

  test("DuckDB rejects every statement but a single SELECT", async () => {
    const engine = await withOptions({})
    for (const sql of [
      "CREATE TABLE t (n INT)",
      "COPY (SELECT 1) TO '/tmp/footfall-never'",
      "SELECT 1; SELECT 2",
      "SET threads = 1"
    ]) {
      const error = await Effect.runPromise(Effect.flip(engine.run({ sql, parameters: [], tables: [] })))
      expect(error.reason).toBe("Invalid")
    }
  })

  test("DuckDB does not start without its extensions, and the error names the setting", async () => {
    const engine = withOptions({ extensionFolder: "/nowhere" })
    await expect(engine).rejects.toThrow(
      "set DUCKDB_EXTENSION_DIRECTORY to a folder with the extensions avro, httpfs and iceberg"
    )
  })
})
