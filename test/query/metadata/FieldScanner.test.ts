import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Clock, Context, Duration, Effect, Exit, Fiber, Option, type Redacted, Scope } from "effect"
import { FIELD_SCAN_LOCK } from "../../../layers/postgres/client/advisoryLocks.ts"
import { AppDatabase } from "../../../layers/postgres/client/Database.ts"
import type { SiteId } from "../../../src/domain/ids.ts"
import { Metadata } from "../../../src/ports/Metadata.ts"
import { Properties } from "../../../src/ports/Properties.ts"
import { type Query, type QueryEngine, QueryError } from "../../../src/ports/QueryEngine.ts"
import { FieldScanner } from "../../../src/query/metadata/FieldScanner.ts"
import { columnsOf, type Field, fieldName, propertyField } from "../../../src/query/metadata/fieldIds.ts"
import { fingerprintOf } from "../../../src/query/metadata/fingerprint.ts"
import { VIEW_NAMES } from "../../../src/query/metadata/views.ts"
import { Asking } from "../../../src/query/run/Asking.ts"
import { OTHER_SITE, SITE } from "../../services/fixture.ts"
import {
  databaseWithEvents,
  type MetadataServices,
  postgresEngine,
  startMetadata
} from "../../support/metadata/metadataServices.ts"
import { startReplica, type TestReplica } from "../../support/replica/replica.ts"

setDefaultTimeout(180_000)

const scope = Scope.makeUnsafe()
let url: Redacted.Redacted<string>
const contexts = new Map<string, Context.Context<MetadataServices>>()
let replica: TestReplica

beforeAll(async () => {
  url = await databaseWithEvents()
  replica = await startReplica(url)
  await replica.sync()
  contexts.set("postgres", await startMetadata(url, await postgresEngine(url, scope), scope))
  contexts.set("replica", await startMetadata(url, replica.engine, scope))
}, 180_000)

afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await replica[Symbol.asyncDispose]()
})

const column = (view: Parameters<typeof columnsOf>[0], name: string): Field =>
  columnsOf(view).find((field) => field.column.name === name)!

describe.each(["postgres", "replica"])("a field is scanned by %s", (engine) => {
  const run = <A, E>(effect: Effect.Effect<A, E, MetadataServices>) =>
    Effect.runPromise(Effect.provide(effect, contexts.get(engine)!))
  const scan = (field: Field, site: string = SITE) =>
    run(Effect.flatMap(FieldScanner, (scanner) => scanner.scan(field, site as SiteId)))
  const property = async (event: string, key: string): Promise<Field> => {
    const onlyKeys = event === "*"
    const all = await run(Effect.flatMap(Properties, ({ list }) => list({ sites: [SITE], onlyKeys, limit: 100 })))
    return propertyField(all.find((one) => one.event === event && one.key === key)!)
  }

  test("a text with its values, the most frequent first, and its fingerprint", async () => {
    const scanned = await scan(column("v_pa_events", "url_path"))
    expect(scanned?.values).toEqual([
      ["/", 9],
      ["/pricing", 6],
      ["/blog", 4],
      ["/checkout", 3],
      ["/thanks", 1]
    ])
    expect(fingerprintOf(scanned!.stats)).toEqual({
      global: { "distinct-count": 5, "nil%": 0 },
      type: {
        "type/Text": {
          "percent-json": 0,
          "percent-url": 0,
          "percent-email": 0,
          "percent-state": 0,
          "average-length": (9 * 1 + 6 * 8 + 4 * 5 + 3 * 9 + 7) / 23
        }
      },
      top: [
        { value: "/", count: 9 },
        { value: "/pricing", count: 6 },
        { value: "/blog", count: 4 },
        { value: "/checkout", count: 3 },
        { value: "/thanks", count: 1 }
      ]
    })
  })

  test("a number with its quartiles, and a field that is mostly empty", async () => {
    const { stats, values } = (await scan(column("v_pa_events", "revenue")))!
    expect(values).toHaveLength(3)
    expect(fingerprintOf(stats)).toMatchObject({
      global: { "distinct-count": 3, "nil%": 20 / 23 },
      type: { "type/Number": { min: 20, max: 100, avg: 169.9 / 3, q1: 34.95, q3: 74.95 } }
    })
    expect(fingerprintOf(stats).type?.["type/Number"]?.["sd"]).toBeCloseTo(40.4228, 3)
  })

  test("a time with its first and last value, and no list", async () => {
    const { stats, values } = (await scan(column("v_pa_events", "created_at")))!
    expect(values).toBeNull()
    expect(fingerprintOf(stats).type).toEqual({
      "type/DateTime": { earliest: "2026-03-28T22:50:00.000000Z", latest: "2026-04-01T00:00:00.000000Z" }
    })
  })

  test("a visitor's column, a visit's and a code", async () => {
    expect((await scan(column("v_pa_sessions", "country")))?.values).toEqual([
      ["US", 2],
      ["DE", 1],
      ["FR", 1]
    ])
    expect((await scan(column("v_pa_visits", "is_bounce")))?.values).toEqual([
      [false, 7],
      [true, 3]
    ])
    expect((await scan(column("v_pa_events", "event_type")))?.values).toEqual([
      [1, 14],
      [2, 6],
      [5, 3]
    ])
  })

  test("properties of an event, of all events, and by their type", async () => {
    expect((await scan(await property("signup", "plan")))?.values).toEqual([
      ["pro", 2],
      ["free", 1]
    ])
    expect((await scan(await property("*", "plan")))?.stats).toMatchObject({ rows: 3, nulls: 0 })
    expect(fingerprintOf((await scan(await property("signup", "seats")))!.stats).type).toMatchObject({
      "type/Number": { min: 1, max: 5, avg: 3 }
    })
    expect((await scan(await property("signup", "trial")))?.values?.toSorted()).toEqual([
      [false, 1],
      [true, 1]
    ])
  })

  test("a site's values are only that site's", async () => {
    expect((await scan(column("v_pa_events", "url_path"), OTHER_SITE))?.values).toEqual([["/", 1]])
    expect((await scan(column("v_pa_sessions", "country"), OTHER_SITE))?.stats).toMatchObject({ rows: 1, nulls: 1 })
  })

  test("ids are not scanned", async () => {
    expect(await scan(column("v_pa_events", "session_id"))).toBeNull()
  })
})

/** Deadlines are whole seconds; all other waits are rests. */
const isDeadline = (duration: Duration.Duration): boolean => Duration.toMillis(duration) % 1_000 === 0

/** The rests of a background scan take no time; deadlines are real. */
const withoutRests = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (real) =>
    Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe(),
      currentTimeMillis: real.currentTimeMillis,
      currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe(),
      currentTimeNanos: real.currentTimeNanos,
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos,
      sleep: (duration) => (isDeadline(duration) ? real.sleep(duration) : Effect.yieldNow)
    })
  )

describe("a scan of all fields", () => {
  const scansOf = (services: Context.Context<MetadataServices>) =>
    Effect.runPromise(
      Effect.provide(
        Effect.flatMap(Metadata, ({ scans }) => scans([SITE, OTHER_SITE], null)),
        services
      )
    )
  const scanAll = (services: Context.Context<MetadataServices>, isForced = false) =>
    Effect.runPromise(
      withoutRests(
        Effect.provide(
          Effect.flatMap(FieldScanner, (scanner) => scanner.scanAll({ isForced })),
          services
        )
      )
    )
  const nameOf = new Map(
    VIEW_NAMES.flatMap((view) => columnsOf(view).map((field) => [field.id, fieldName(field)] as const))
  )
  const forget = (services: Context.Context<MetadataServices>) =>
    Effect.runPromise(Context.get(services, AppDatabase).unsafe("DELETE FROM product_analytics_field_scan"))
  /** The Postgres engine, whose queries of some fields have another outcome. */
  const startWith = async (change: (query: Query) => Effect.Effect<never, QueryError> | null) => {
    const engine = await postgresEngine(url, scope)
    const changed: QueryEngine["Service"] = { ...engine, run: (query) => change(query) ?? engine.run(query) }
    return startMetadata(url, changed, scope)
  }

  test("reads the columns and properties of every site, says what strings look like, and does nothing while there is nothing new", async () => {
    const services = contexts.get("postgres")!
    await forget(services)
    expect(Option.isSome(await scanAll(services))).toBe(true)
    const scans = await scansOf(services)
    const of = (site: string) => scans.filter(({ siteId }) => siteId === site)
    const count = (site: string, view: string) =>
      of(site).filter(({ fieldId }) => nameOf.get(fieldId)?.startsWith(view)).length
    const counts = (site: string) => ["v_pa_events", "v_pa_sessions", "v_pa_visits"].map((view) => count(site, view))
    expect(counts(SITE)).toEqual([32, 18, 19])
    expect(counts(OTHER_SITE)).toEqual(counts(SITE))
    // And the three properties of signup.
    expect([of(SITE).length, of(OTHER_SITE).length]).toEqual([72, 69])
    const properties = await Effect.runPromise(
      Context.get(services, Properties).list({ sites: [SITE], search: "PLAN", limit: 10 })
    )
    const plan = properties.find(({ event, key }) => event === "signup" && key === "plan")
    expect(plan?.semanticType).toBe("Category")

    await scanAll(services)
    expect(await scansOf(services)).toEqual(scans)
    await scanAll(services, true)
    const again = await scansOf(services)
    expect(again.length).toBe(scans.length)
    expect(Math.min(...again.map(({ scannedAt }) => scannedAt))).toBeGreaterThan(
      Math.max(...scans.map(({ scannedAt }) => scannedAt))
    )
  })

  test("runs in one process at a time", async () => {
    const services = contexts.get("postgres")!
    const sql = Context.get(services, AppDatabase)
    const outcome = await Effect.runPromise(
      sql.withTransaction(
        Effect.andThen(
          sql.unsafe("SELECT pg_advisory_xact_lock($1)", [FIELD_SCAN_LOCK]),
          Effect.promise(() => scanAll(contexts.get("replica")!))
        )
      )
    )
    expect(Option.isNone(outcome)).toBe(true)
  })

  test("leaves out the other fields of a view after one that takes more than 5 s, and reads everything else", async () => {
    let slow = 0
    const services = await startWith(({ parameters, sql }) => {
      if (!sql.includes("visit_number") || !parameters.some(({ value }) => value === SITE)) return null
      slow++
      return Effect.never
    })
    await forget(services)
    const begin = performance.now()
    expect(Option.isSome(await scanAll(services))).toBe(true)
    expect(performance.now() - begin).toBeGreaterThan(5_000)
    expect(slow).toBe(1)
    const names = (await scansOf(services)).flatMap(({ fieldId, siteId }) =>
      siteId === SITE ? [nameOf.get(fieldId) ?? "property"] : []
    )
    expect(names.filter((name) => name.startsWith("v_pa_visits") || name.endsWith("channel"))).toEqual([])
    expect(names).toContain("v_pa_events.is_exit")
    expect(names).toContain("v_pa_events.url_path")
    expect(names).toContain("v_pa_sessions.country")
    expect(names).toContain("property")
  })

  test("gives way to people who ask", async () => {
    let queries = 0
    const services = await startWith(() => {
      queries++
      return null
    })
    await forget(services)
    const { during } = Context.get(services, Asking)
    const seen = await Effect.runPromise(
      Effect.gen(function* () {
        const question = yield* Effect.forkChild(during(Effect.never))
        const scanning = yield* Effect.forkChild(
          Effect.provide(
            Effect.flatMap(FieldScanner, (scanner) => scanner.scanAll({ isForced: true })),
            services
          )
        )
        yield* Effect.sleep(1_500)
        const asked = queries
        yield* Fiber.interrupt(question)
        yield* Effect.sleep(4_500)
        yield* Fiber.interrupt(scanning)
        return { whileAsked: asked, goesOn: queries > 0 }
      })
    )
    expect(seen).toEqual({ whileAsked: 0, goesOn: true })
  })

  test("ends when the engine is unreachable, and keeps what it knew", async () => {
    const services = await startWith(() =>
      Effect.fail(new QueryError({ reason: "Unavailable", message: "The engine is gone." }))
    )
    const before = await scansOf(services)
    const outcome = await Effect.runPromise(
      Effect.provide(
        Effect.flatMap(FieldScanner, (scanner) => Effect.flip(scanner.scanAll({ isForced: true }))),
        services
      )
    )
    expect(outcome).toMatchObject({ _tag: "QueryError", reason: "Unavailable" })
    expect(await scansOf(services)).toEqual(before)
  })
})
