import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { PgClient } from "@effect/sql-pg"
import { Effect, Logger, Redacted, References, type Scope } from "effect"
import { MIGRATIONS, type Migration, migrate } from "../../../../layers/postgres/client/migrate.ts"
import { run } from "../../../support/controlPlane.ts"
import { emptyDatabase, freshDatabase, openClient, testServer } from "../../../support/postgres.ts"

// The first test waits for the server to be made.
setDefaultTimeout(20_000)

let database: Promise<Redacted.Redacted<string>> | undefined

/** A database without anything in it: the same one every time, since making one takes far longer than clearing one. */
const clearedDatabase = async (): Promise<Redacted.Redacted<string>> => {
  database ??= emptyDatabase()
  const url = await database
  await run(
    Effect.gen(function* () {
      const sql = yield* openClient(url, 1)
      yield* sql.unsafe("DROP SCHEMA public CASCADE")
      yield* sql.unsafe("CREATE SCHEMA public")
    })
  )
  return url
}

const inDatabase = (
  made: () => Promise<Redacted.Redacted<string>>,
  body: (sql: PgClient.PgClient, url: Redacted.Redacted<string>) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(made)
      yield* body(yield* openClient(url), url)
    })
  )

const migration = (name: string, sql: string, additive = "yes"): Migration => ({
  name,
  sql: `-- additive: ${additive}\n${sql}`
})

const ONE = migration("0001_one", "CREATE TABLE one (id int);")
const TWO = migration("0002_two", "CREATE TABLE two (id int); INSERT INTO two VALUES (1);")
const THREE = migration("0003_three", "CREATE TABLE three (id int);")

const applied = (sql: PgClient.PgClient) =>
  Effect.map(sql.unsafe<{ name: string }>("SELECT name FROM product_analytics_migration ORDER BY name"), (rows) =>
    rows.map(({ name }) => name)
  )

const tables = (sql: PgClient.PgClient) =>
  Effect.map(
    sql.unsafe<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'product_analytics_migration' ORDER BY 1"
    ),
    (rows) => rows.map(({ name }) => name)
  )

/** Runs an effect and says what it logged, by level. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel} ${String(message)}`)
    })
    return effect.pipe(
      Effect.provide(Logger.layer([logger])),
      Effect.provideService(References.MinimumLogLevel, "Info"),
      Effect.as(lines)
    )
  })

describe("migrating", () => {
  test("applies every file of migrations/, in the order of names", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        const files = readdirSync(join(import.meta.dir, "../../../../migrations")).sort()
        expect(MIGRATIONS.map(({ name }) => `${name}.sql`)).toEqual(files)
        yield* migrate(sql)
        expect(yield* applied(sql)).toEqual(MIGRATIONS.map(({ name }) => name))
      })
    ))

  test("in several processes at once applies each migration once", () =>
    inDatabase(clearedDatabase, (sql, url) =>
      Effect.gen(function* () {
        const clients = yield* Effect.all([1, 2, 3, 4].map(() => openClient(url, 1)))
        const lines = yield* Effect.forEach(clients, (client) => logged(migrate(client)), { concurrency: "unbounded" })
        expect(lines.flat().sort()).toEqual(MIGRATIONS.map(({ name }) => `Info Migrated the database: ${name}.`))
        expect(yield* applied(sql)).toEqual(MIGRATIONS.map(({ name }) => name))
      })
    ))

  test("again costs one query and says nothing", () =>
    inDatabase(freshDatabase, (sql) =>
      Effect.gen(function* () {
        const statements: Array<string> = []
        const listening = new Proxy(sql, {
          get: (target, name) =>
            name === "unsafe"
              ? (statement: string, parameters: ReadonlyArray<unknown>) => {
                  statements.push(statement)
                  return target.unsafe(statement, parameters)
                }
              : Reflect.get(target, name, target)
        })
        expect(yield* logged(migrate(listening))).toEqual([])
        expect(statements).toEqual(["SELECT name, checksum, additive FROM product_analytics_migration ORDER BY name"])
      })
    ))

  test("applies what a later version brings, and keeps what is there", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        yield* migrate(sql, [ONE])
        yield* sql.unsafe("INSERT INTO one VALUES (7)")
        expect(yield* logged(migrate(sql, [ONE, TWO, THREE]))).toEqual([
          "Info Migrated the database: 0002_two.",
          "Info Migrated the database: 0003_three."
        ])
        expect(yield* sql.unsafe("SELECT id FROM one")).toEqual([{ id: 7 }])
        expect(yield* tables(sql)).toEqual(["one", "three", "two"])
      })
    ))

  test("undoes a migration that fails, wholly, and keeps those before it", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        const broken = migration("0002_two", "CREATE TABLE two (id int); INSERT INTO two VALUES ('x');")
        const failed = yield* Effect.flip(migrate(sql, [ONE, broken, THREE]))
        expect(failed._tag).toBe("StartError")
        expect(failed.message).toStartWith("migrations/0002_two.sql failed and was undone: ")
        expect(failed.message).toContain("invalid input syntax for type integer")
        expect([yield* applied(sql), yield* tables(sql)]).toEqual([["0001_one"], ["one"]])

        yield* migrate(sql, [ONE, TWO, THREE])
        expect([yield* applied(sql), yield* tables(sql)]).toEqual([
          ["0001_one", "0002_two", "0003_three"],
          ["one", "three", "two"]
        ])
      })
    ))
})

describe("a database and a Footfall that don't go together refuse to start", () => {
  const TWO_CHANGED = migration("0002_two", "CREATE TABLE two (id bigint);")
  test.each<[string, ReadonlyArray<Migration>, ReadonlyArray<Migration>, string]>([
    [
      "when a file was changed",
      [ONE, TWO],
      [ONE, TWO_CHANGED, THREE],
      "migrations/0002_two.sql is not the file that the database was migrated with: put the original back."
    ],
    [
      "when a file's only change is a space",
      [ONE],
      [{ ...ONE, sql: `${ONE.sql} ` }],
      "migrations/0001_one.sql is not the file that the database was migrated with: put the original back."
    ],
    [
      "when a file is missing",
      [ONE, TWO, THREE],
      [ONE, THREE],
      "The database was migrated with 0002_two, which this Footfall does not have."
    ],
    [
      "when a file was put in between",
      [ONE, THREE],
      [ONE, TWO, THREE],
      "0002_two is not in the database, but the later 0003_three is: it was put in between."
    ],
    [
      "when a newer Footfall changed what this one needs",
      [ONE, migration("0002_two", "DROP TABLE one;", "no"), THREE],
      [ONE],
      "A newer Footfall changed the database (0002_two) in a way that this version can't work with. Update it."
    ]
  ])("%s", (_, before, now, message) =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        yield* migrate(sql, before)
        const state = Effect.all([applied(sql), tables(sql)])
        const then = yield* state
        const refused = yield* Effect.flip(migrate(sql, now))
        expect(refused).toMatchObject({ _tag: "StartError", message })
        expect(yield* state).toEqual(then)
      })
    )
  )

  test.each(["CREATE TABLE one (id int);", "-- additive: perhaps\n", "\n-- additive: yes\n", "-- additive: yes"])(
    "when a migration does not say in its first line whether it only adds: %p",
    (sql) =>
      inDatabase(clearedDatabase, (client) =>
        Effect.gen(function* () {
          const refused = yield* Effect.flip(migrate(client, [ONE, { name: "0002_two", sql }]))
          expect(refused.message).toBe(
            'migrations/0002_two.sql must begin with "-- additive: yes" or "-- additive: no".'
          )
          expect(yield* tables(client)).toEqual([])
        })
      )
  )

  test("when the state of the database can't be read", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        yield* sql.unsafe("CREATE TABLE product_analytics_migration (other text)")
        const refused = yield* Effect.flip(migrate(sql))
        expect(refused.message).toBe('The state of the database can\'t be read: column "name" does not exist (42703).')
      })
    ))
})

test("a newer Footfall's additions leave this one working, and it says so", () =>
  inDatabase(clearedDatabase, (sql) =>
    Effect.gen(function* () {
      yield* migrate(sql, [ONE, TWO, THREE])
      expect(yield* logged(migrate(sql, [ONE]))).toEqual([
        "Warn The database is of a newer Footfall (0002_two, 0003_three). This version goes on; update it when you can."
      ])
      expect(yield* applied(sql)).toEqual(["0001_one", "0002_two", "0003_three"])
    })
  ))

/** An instance's role that is no superuser, with a database of its own, as an administrator makes them. */
const ownedDatabase = (role: string, attributes: string) => async (): Promise<Redacted.Redacted<string>> => {
  const { admin, url } = await testServer()
  for (const statement of [
    `CREATE ROLE ${role} LOGIN PASSWORD 'test' ${attributes}`,
    `CREATE DATABASE ${role} OWNER ${role}`
  ]) {
    await Effect.runPromise(admin.unsafe(statement))
  }
  const owned = new URL(Redacted.value(url))
  owned.username = role
  owned.password = "test"
  owned.pathname = `/${role}`
  return Redacted.make(owned.href)
}

/** Roles are of the whole server: runs the body on one that has no reader yet. */
const withoutReader = async (body: () => Promise<void>): Promise<void> => {
  const { admin } = await testServer()
  const run = (statement: string) => Effect.runPromise(admin.unsafe<{ name: string }>(statement))
  await run("ALTER ROLE footfall_reader RENAME TO footfall_reader_elsewhere")
  try {
    await body()
  } finally {
    const made =
      await run(`SELECT DISTINCT quote_ident(datname) AS name FROM pg_shdepend JOIN pg_database ON dbid = pg_database.oid
      WHERE refobjid = to_regrole('footfall_reader')`)
    for (const { name } of made) await run(`DROP DATABASE ${name} WITH (FORCE)`)
    await run("DROP ROLE IF EXISTS footfall_reader")
    await run("ALTER ROLE footfall_reader_elsewhere RENAME TO footfall_reader")
  }
}

test("databases of one server that are migrated at once share the role that questions run as", () =>
  withoutReader(async () => {
    const urls = [await emptyDatabase(), await emptyDatabase(), await emptyDatabase()]
    await run(
      Effect.gen(function* () {
        const clients = yield* Effect.all(urls.map((url) => openClient(url, 1)))
        yield* Effect.forEach(clients, (client) => migrate(client), { concurrency: "unbounded" })
        for (const client of clients) {
          expect(yield* applied(client)).toEqual(MIGRATIONS.map(({ name }) => name))
          expect(
            yield* client.unsafe("SELECT has_table_privilege('footfall_reader', 'v_pa_events', 'SELECT') AS may")
          ).toEqual([{ may: true }])
        }
      })
    )
  }))

describe("the migrating role needs no superuser's rights", () => {
  const asReader = (sql: PgClient.PgClient, statement: string) =>
    sql.withTransaction(Effect.andThen(sql.unsafe("SET LOCAL ROLE footfall_reader"), sql.unsafe(statement)))

  test("it may make roles: it makes the reader, and may become it", () =>
    withoutReader(() =>
      inDatabase(ownedDatabase("maker", "CREATEROLE"), (sql) =>
        Effect.gen(function* () {
          yield* migrate(sql)
          expect(yield* asReader(sql, "SELECT FROM v_pa_events")).toEqual([])
        })
      )
    ))

  test("it may not: there is no reader, and all else is there", () =>
    withoutReader(() =>
      inDatabase(ownedDatabase("owner_only", "NOCREATEROLE"), (sql) =>
        Effect.gen(function* () {
          yield* migrate(sql)
          expect(yield* applied(sql)).toEqual(MIGRATIONS.map(({ name }) => name))
          expect(yield* sql.unsafe("SELECT FROM v_pa_events")).toEqual([])
          expect(yield* sql.unsafe("SELECT FROM pg_roles WHERE rolname = 'footfall_reader'")).toEqual([])
        })
      )
    ))

  test("it may not, but there is a reader: that one may select the views", () =>
    inDatabase(ownedDatabase("newcomer", "NOCREATEROLE"), (sql) =>
      Effect.gen(function* () {
        yield* migrate(sql)
        expect(
          yield* sql.unsafe("SELECT has_table_privilege('footfall_reader', 'v_pa_events', 'SELECT') AS may")
        ).toEqual([{ may: true }])
      })
    ))
})
