import { expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Exit, Layer, Logger, Metric, type Redacted, References, Scope } from "effect"
import { PROPERTY_LOCK } from "../../../../layers/postgres/client/advisoryLocks.ts"
import { AppDatabase, DatabaseUrl } from "../../../../layers/postgres/client/Database.ts"
import * as Changes from "../../../../layers/postgres/control/Changes.ts"
import * as PgProperties from "../../../../layers/postgres/metadata/PgProperties.ts"
import * as PgPropertyRecorder from "../../../../layers/postgres/metadata/PgPropertyRecorder.ts"
import { DataType, type EventRecord, type Property } from "../../../../src/domain/Event.ts"
import { Properties } from "../../../../src/ports/Properties.ts"
import { PropertyRecorder } from "../../../../src/ports/PropertyRecorder.ts"
import { event, identity, SITE_ID, session, text } from "../../../support/collect/records.ts"
import { eventually } from "../../../support/eventually.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

setDefaultTimeout(180_000)

const valued = (key: string, type: DataType, string: string): Property => ({
  key,
  type,
  string,
  number: null,
  date: null
})
const signup = (...properties: ReadonlyArray<Property>): EventRecord => event({ name: "signup", type: 2, properties })

const databaseOf = (url: Redacted.Redacted<string>) =>
  AppDatabase.layer.pipe(Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })))

/** The recorder of one process. Closing it writes what it has noted. */
const openRecorder = Effect.fnUntraced(function* (url: Redacted.Redacted<string>) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.build(Layer.fresh(PgPropertyRecorder.layer.pipe(Layer.provide(databaseOf(url))))).pipe(
    Scope.provide(scope),
    Effect.orDie
  )
  return { ...Context.get(context, PropertyRecorder), close: Scope.close(scope, Exit.void) }
})

const openProperties = (url: Redacted.Redacted<string>) =>
  Layer.build(Layer.fresh(PgProperties.layer.pipe(Layer.provide(Changes.layer), Layer.provide(databaseOf(url))))).pipe(
    Effect.map(Context.get(Properties)),
    Effect.orDie
  )

const overflowOfSite = Metric.withAttributes(PgPropertyRecorder.propertyOverflow, { site: SITE_ID })

const READ = `SELECT owner, event_name, key, n::int, n_string::int AS string, n_numeric::int AS numeric, n_number::int AS number
  FROM product_analytics_property ORDER BY owner, event_name COLLATE "C", key COLLATE "C"`

const named = (owner: string, name: string, key: string, counts: object) => ({
  owner,
  event_name: name,
  key,
  string: 0,
  numeric: 0,
  number: 0,
  ...counts
})

test("properties of stored records are registered within seconds, and their counts with the stop of the process at the latest", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const properties = yield* openProperties(url)
      const recorder = yield* openRecorder(url)
      recorder.event(signup(text("plan", "pro"), text("seats", "5")))
      recorder.identity(identity(session(), [text("role", "owner")]))
      yield* eventually("the type is known", () => properties.propertyType([SITE_ID], "signup", "seats") === "number")
      recorder.event(signup(text("plan", "free")))
      yield* recorder.close
      expect(yield* sql.unsafe(READ)).toEqual([
        named("event", "*", "plan", { n: 2, string: 2 }),
        named("event", "*", "seats", { n: 1, numeric: 1 }),
        named("event", "signup", "plan", { n: 2, string: 2 }),
        named("event", "signup", "seats", { n: 1, numeric: 1 }),
        named("visitor", "*", "role", { n: 1, string: 1 })
      ])
      expect(properties.attributeType([SITE_ID], "role")).toBe("text")
      expect(properties.propertyType([SITE_ID], null, "plan")).toBe("text")
      expect(properties.propertyType([SITE_ID], "purchase", "seats")).toBe("number")
      expect(properties.propertyType([SITE_ID], "signup", "nothing")).toBeNull()
      expect(properties.propertyType([], "signup", "plan")).toBeNull()
      expect(properties.propertyKeys([SITE_ID], "signup").toSorted()).toEqual(["plan", "seats"])
      expect(properties.propertyKeys([SITE_ID], null).toSorted()).toEqual(["plan", "seats"])
      expect(properties.propertyKeys([SITE_ID], "purchase")).toEqual([])
      expect(properties.attributeKeys([SITE_ID])).toEqual(["role"])
    })
  ))

test("a property is a number, boolean or date if all its values are, a declared type wins, and a value of another kind is noticed at once", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const properties = yield* openProperties(url)
      const recorder = yield* openRecorder(url)
      recorder.event(
        signup(
          valued("seats", DataType.number, "3.0000"),
          valued("trial", DataType.boolean, "true"),
          valued("until", DataType.date, "2026-03-28T00:00:00.000Z"),
          valued("tags", DataType.array, "[1]"),
          valued("zip", DataType.number, "10115.0000")
        )
      )
      const types = () =>
        ["seats", "trial", "until", "tags", "zip"].map((key) => properties.propertyType([SITE_ID], "signup", key))
      yield* eventually("all are registered", () => types().every((type) => type !== null))
      expect(types()).toEqual(["number", "boolean", "date", "text", "number"])
      yield* sql.unsafe(
        "UPDATE product_analytics_property SET declared_type = 'text', changed_at = clock_timestamp() WHERE key = 'zip' AND event_name = '*'"
      )
      recorder.event(signup(text("seats", "many"), text("trial", "yes")))
      yield* eventually("the new kinds are known", () => types().join() === "text,text,date,text,text")
    })
  ))

test("keys are data, however hostile they are", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const keys = [
        "'); DROP TABLE product_analytics_property; --",
        "clé 鍵 🔑",
        "🔑".repeat(250),
        "鍵".repeat(500),
        '\\"\t\n\u{1}',
        "*",
        "__proto__",
        "constructor",
        " ",
        ""
      ]
      const recorder = yield* openRecorder(url)
      recorder.event(event({ name: "'); DROP TABLE x; --", type: 2, properties: keys.map((key) => text(key, "x")) }))
      recorder.event(event({ name: "__proto__", type: 2, properties: [text("__proto__", "x")] }))
      yield* recorder.close
      const stored = yield* sql.unsafe<{ key: string }>(
        "SELECT key FROM product_analytics_property WHERE event_name = '*' AND owner = 'event'"
      )
      expect(stored.map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
    })
  ))

test("collectors that register the same keys at the same time count all values, and stay within a site's limits together", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const recorders = yield* Effect.forEach([1, 2, 3, 4], () => openRecorder(url))
      for (const [number, recorder] of recorders.entries()) {
        // The shared keys in different orders, and more keys of each collector's own than fit.
        const shared = Array.from({ length: 100 }, (_, index) => (index * (2 * number + 1)) % 100)
        for (const index of shared)
          for (let times = 0; times < 3; times++) recorder.event(signup(text(`shared ${index}`, "x")))
        for (let index = 0; index < 600; index++) recorder.event(signup(text(`own ${number} ${index}`, "x")))
      }
      const counts = () =>
        Effect.runPromise(
          sql.unsafe(`SELECT
            (SELECT count(*)::int FROM product_analytics_property WHERE event_name = '*') AS keys,
            (SELECT count(*)::int FROM product_analytics_property WHERE event_name <> '*') AS "eventKeys",
            (SELECT sum(n)::int FROM product_analytics_property WHERE event_name = '*' AND key LIKE 'shared %') AS shared`)
        )
      const all = [{ keys: 1_000, eventKeys: 2_000, shared: 4 * 100 * 3 }]
      yield* eventually("everything is counted", async () => JSON.stringify(await counts()) === JSON.stringify(all))
      yield* Effect.forEach(recorders, ({ close }) => close, { concurrency: "unbounded" })
      expect(yield* Effect.promise(counts)).toEqual(all)
    })
  ))

test("of 10,000 different keys, 1,000 are registered, a key that others registered is still counted, and the rest is counted as overflow", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const first = yield* openRecorder(url)
      for (let index = 0; index < 10_000; index++) first.event(event({ properties: [text(`key ${index}`, "x")] }))
      const before = yield* Metric.value(overflowOfSite)
      yield* first.close
      // 9,000 keys, and 8,000 of pageviews.
      expect((yield* Metric.value(overflowOfSite)).count - before.count).toBe(17_000)
      const [count] = yield* sql.unsafe(
        "SELECT count(*)::int AS rows FROM product_analytics_property WHERE event_name = '*'"
      )
      expect(count).toEqual({ rows: 1_000 })
      const [known] = yield* sql.unsafe<{ key: string }>(
        "SELECT key FROM product_analytics_property WHERE event_name = '*' LIMIT 1"
      )
      const second = yield* openRecorder(url)
      second.event(event({ properties: [text("unknown", "x")] }))
      const registered = () =>
        Effect.runPromise(
          Effect.map(
            sql.unsafe<{ n: number }>(
              "SELECT n::int FROM product_analytics_property WHERE event_name = '*' AND key = $1",
              [known!.key]
            ),
            (rows) => rows[0]?.n
          )
        )
      // The refusal of `unknown` makes this collector read what is registered.
      yield* Effect.sleep("1500 millis")
      second.event(event({ properties: [text(known!.key, "x"), text("another", "x")] }))
      yield* second.close
      expect(yield* Effect.promise(registered)).toBe(2)
      expect(
        yield* sql.unsafe(
          "SELECT key FROM product_analytics_property WHERE key IN ('unknown', 'another') AND event_name = '*'"
        )
      ).toEqual([])
    })
  ))

test("while the registry cannot be written, what was noted is kept and written afterwards, and one warning is logged", () =>
  run(
    Effect.gen(function* () {
      const lines: Array<string> = []
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url, 3)
      const blocker = yield* sql.reserve
      yield* blocker.execute("BEGIN", [], undefined)
      yield* blocker.execute(`SELECT pg_advisory_xact_lock(${PROPERTY_LOCK})`, [], undefined)
      const recorder = yield* openRecorder(url).pipe(
        Effect.provide(Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])),
        Effect.provideService(References.MinimumLogLevel, "Warn")
      )
      recorder.event(signup(text("plan", "pro")))
      yield* eventually("the recorder waits for the lock", async () =>
        Effect.runPromise(
          Effect.map(
            sql.unsafe("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"),
            (rows) => rows.length === 1
          )
        )
      )
      yield* eventually("it logs a warning", () => lines.length > 0)
      recorder.event(signup(text("plan", "free")))
      yield* blocker.execute("ROLLBACK", [], undefined)
      yield* recorder.close
      expect(yield* sql.unsafe(READ)).toEqual([
        named("event", "*", "plan", { n: 2, string: 2 }),
        named("event", "signup", "plan", { n: 2, string: 2 })
      ])
      expect(lines).toEqual([
        "The registry of properties was not updated; will retry: canceling statement due to lock timeout (55P03). Events are stored as usual."
      ])
    })
  ))

test("a property that was removed from the registry is registered again when it is seen", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const recorder = yield* openRecorder(url)
      recorder.event(signup(text("plan", "pro")))
      const count = () => Effect.runPromise(Effect.map(sql.unsafe(READ), ({ length }) => length))
      yield* eventually("it is registered", async () => (await count()) === 2)
      yield* sql.unsafe("DELETE FROM product_analytics_property")
      recorder.event(signup(text("plan", "free")))
      yield* recorder.close
      expect(yield* Effect.promise(count)).toBe(2)
    })
  ))

test("after an older registry is restored under a running collector, what it lacks is forgotten, and registered again when it is seen", () =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(freshDatabase)
      const sql = yield* openClient(url)
      const properties = yield* openProperties(url)
      const recorder = yield* openRecorder(url)
      const typeOf = (key: string) => properties.propertyType([SITE_ID], "signup", key)
      recorder.event(signup(text("plan", "pro")))
      yield* eventually("plan is known", () => typeOf("plan") === "text")
      yield* sql.unsafe(
        "CREATE TABLE backup AS SELECT site_id, owner, event_name, key, n_string, first_seen, last_seen, field_id FROM product_analytics_property"
      )
      recorder.event(signup(text("seats", "5")))
      yield* eventually("seats are known", () => typeOf("seats") === "number")

      yield* sql.unsafe("DELETE FROM product_analytics_property")
      yield* sql.unsafe(
        "INSERT INTO product_analytics_property (site_id, owner, event_name, key, n_string, first_seen, last_seen, field_id) SELECT * FROM backup"
      )
      yield* eventually("seats are forgotten", () => typeOf("seats") === null && typeOf("plan") === "text")
      recorder.event(signup(text("plan", "free"), text("seats", "6")))
      yield* recorder.close
      yield* eventually("seats are known again", () => typeOf("seats") === "number")
      expect(yield* sql.unsafe(READ)).toEqual([
        named("event", "*", "plan", { n: 2, string: 2 }),
        named("event", "*", "seats", { n: 1, numeric: 1 }),
        named("event", "signup", "plan", { n: 2, string: 2 }),
        named("event", "signup", "seats", { n: 1, numeric: 1 })
      ])
    })
  ))
