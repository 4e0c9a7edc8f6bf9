import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Effect, Logger, Redacted, References, type Scope } from "effect"
import type { DatabaseClient } from "../../../../layers/postgres/client/makeClient.ts"
import { MIGRATIONS, migrate } from "../../../../layers/postgres/client/migrate.ts"
import type { Migration } from "../../../../layers/postgres/client/migrations.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { emptyDatabase, freshDatabase, openClient, testServer } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let database: Promise<Redacted.Redacted<string>> | undefined

/** An empty database, the same one every time: creating one takes far longer than clearing one. */
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
  database: () => Promise<Redacted.Redacted<string>>,
  body: (sql: DatabaseClient, url: Redacted.Redacted<string>) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  run(
    Effect.gen(function* () {
      const url = yield* Effect.promise(database)
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

const applied = (sql: DatabaseClient) =>
  Effect.map(sql.unsafe<{ name: string }>("SELECT name FROM product_analytics_migration ORDER BY name"), (rows) =>
    rows.map(({ name }) => name)
  )

const tables = (sql: DatabaseClient) =>
  Effect.map(
    sql.unsafe<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'product_analytics_migration' ORDER BY 1"
    ),
    (rows) => rows.map(({ name }) => name)
  )

/** Runs an effect and returns what it logged, with the levels. */
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
  test("migrate applies every file of migrations/, in the order of their names", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        const files = readdirSync(join(import.meta.dir, "../../../../migrations")).sort()
        expect(MIGRATIONS.map(({ name }) => `${name}.sql`)).toEqual(files)
        yield* migrate(sql)
        expect(yield* applied(sql)).toEqual(MIGRATIONS.map(({ name }) => name))
      })
    ))

  test("several processes that migrate at the same time apply each migration once", () =>
    inDatabase(clearedDatabase, (sql, url) =>
      Effect.gen(function* () {
        const clients = yield* Effect.all([1, 2, 3, 4].map(() => openClient(url, 1)))
        const lines = yield* Effect.forEach(clients, (client) => logged(migrate(client)), { concurrency: "unbounded" })
        expect(lines.flat().sort()).toEqual(MIGRATIONS.map(({ name }) => `Info Migrated the database: ${name}.`))
        expect(yield* applied(sql)).toEqual(MIGRATIONS.map(({ name }) => name))
      })
    ))

  test("migrating a migrated database takes one query and logs nothing", () =>
    inDatabase(freshDatabase, (sql) =>
      Effect.gen(function* () {
        const statements: Array<string> = []
        const recording = new Proxy(sql, {
          get: (target, name) =>
            name === "unsafe"
              ? (statement: string, parameters: ReadonlyArray<unknown>) => {
                  statements.push(statement)
                  return target.unsafe(statement, parameters)
                }
              : Reflect.get(target, name, target)
        })
        expect(yield* logged(migrate(recording))).toEqual([])
        expect(statements).toEqual(["SELECT name, checksum, additive FROM product_analytics_migration ORDER BY name"])
      })
    ))

  test("migrate applies the migrations of a later version and keeps the data", () =>
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

  test("a migration that fails is rolled back completely, and those before it stay applied", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        const broken = migration("0002_two", "CREATE TABLE two (id int); INSERT INTO two VALUES ('x');")
        const error = yield* Effect.flip(migrate(sql, [ONE, broken, THREE]))
        expect(error._tag).toBe("StartError")
        expect(error.message).toStartWith("migrations/0002_two.sql failed and was rolled back: ")
        expect(error.message).toContain("invalid input syntax for type integer")
        expect([yield* applied(sql), yield* tables(sql)]).toEqual([["0001_one"], ["one"]])

        yield* migrate(sql, [ONE, TWO, THREE])
        expect([yield* applied(sql), yield* tables(sql)]).toEqual([
          ["0001_one", "0002_two", "0003_three"],
          ["one", "three", "two"]
        ])
      })
    ))
})

describe("migrate on a database that this version cannot work with", () => {
  const TWO_CHANGED = migration("0002_two", "CREATE TABLE two (id bigint);")
  test.each<[string, ReadonlyArray<Migration>, ReadonlyArray<Migration>, string]>([
    [
      "a file has changed",
      [ONE, TWO],
      [ONE, TWO_CHANGED, THREE],
      "migrations/0002_two.sql has changed since it was applied to the database: restore the original."
    ],
    [
      "a space was added to a file",
      [ONE],
      [{ ...ONE, sql: `${ONE.sql} ` }],
      "migrations/0001_one.sql has changed since it was applied to the database: restore the original."
    ],
    [
      "a file is missing",
      [ONE, TWO, THREE],
      [ONE, THREE],
      "The database has the migration 0002_two, which this Footfall does not have."
    ],
    [
      "a file was inserted before an applied one",
      [ONE, THREE],
      [ONE, TWO, THREE],
      "0002_two was added before 0003_three, which is already applied."
    ],
    [
      "a newer Footfall made a breaking change",
      [ONE, migration("0002_two", "DROP TABLE one;", "no"), THREE],
      [ONE],
      "A newer Footfall migrated the database (0002_two), and this version cannot work with it. Upgrade this installation."
    ]
  ])("if %s, migrate fails and leaves the database unchanged", (_, before, now, message) =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        yield* migrate(sql, before)
        const state = Effect.all([applied(sql), tables(sql)])
        const then = yield* state
        const error = yield* Effect.flip(migrate(sql, now))
        expect(error).toMatchObject({ _tag: "StartError", message })
        expect(yield* state).toEqual(then)
      })
    )
  )

  test.each(["CREATE TABLE one (id int);", "-- additive: perhaps\n", "\n-- additive: yes\n", "-- additive: yes"])(
    "migrate fails if the first line of a migration does not state whether it is additive: %p",
    (sql) =>
      inDatabase(clearedDatabase, (client) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(migrate(client, [ONE, { name: "0002_two", sql }]))
          expect(error.message).toBe('migrations/0002_two.sql must begin with "-- additive: yes" or "-- additive: no".')
          expect(yield* tables(client)).toEqual([])
        })
      )
  )

  test("migrate fails if it cannot read the table of applied migrations", () =>
    inDatabase(clearedDatabase, (sql) =>
      Effect.gen(function* () {
        yield* sql.unsafe("CREATE TABLE product_analytics_migration (other text)")
        const error = yield* Effect.flip(migrate(sql))
        expect(error.message).toBe(
          'Can\'t read which migrations the database has: column "name" does not exist (42703).'
        )
      })
    ))
})

test("after additive migrations of a newer Footfall, migrate succeeds with a warning", () =>
  inDatabase(clearedDatabase, (sql) =>
    Effect.gen(function* () {
      yield* migrate(sql, [ONE, TWO, THREE])
      expect(yield* logged(migrate(sql, [ONE]))).toEqual([
        "Warn A newer Footfall migrated the database (0002_two, 0003_three). This version still works with it; upgrade when you can."
      ])
      expect(yield* applied(sql)).toEqual(["0001_one", "0002_two", "0003_three"])
    })
  ))

/** Roles of this file, each with a database of its name. Unlike databases, a server's roles are shared by all tests. */
const roles: Array<string> = []

afterAll(async () => {
  if (roles.length === 0) return
  const { admin } = await testServer()
  for (const role of roles) {
    await Effect.runPromise(admin.unsafe(`DROP DATABASE IF EXISTS ${role} WITH (FORCE)`))
    await Effect.runPromise(admin.unsafe(`DROP ROLE IF EXISTS ${role}`))
  }
  expect(
    await Effect.runPromise(admin.unsafe("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", [roles]))
  ).toEqual([])
})

/** A role without superuser rights that owns a database, as an administrator creates them. */
const ownedDatabase = (role: string, attributes: string) => async (): Promise<Redacted.Redacted<string>> => {
  const { admin, url } = await testServer()
  roles.push(role)
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

/** Runs the body while the server, to which roles belong, has no role `footfall_reader`. */
const withoutReader = async (body: () => Promise<void>): Promise<void> => {
  const { admin } = await testServer()
  const run = (statement: string) => Effect.runPromise(admin.unsafe<{ name: string }>(statement))
  await run("ALTER ROLE footfall_reader RENAME TO footfall_reader_elsewhere")
  try {
    await body()
  } finally {
    const databases =
      await run(`SELECT DISTINCT quote_ident(datname) AS name FROM pg_shdepend JOIN pg_database ON dbid = pg_database.oid
      WHERE refobjid = to_regrole('footfall_reader')`)
    for (const { name } of databases) await run(`DROP DATABASE ${name} WITH (FORCE)`)
    await run("DROP ROLE IF EXISTS footfall_reader")
    await run("ALTER ROLE footfall_reader_elsewhere RENAME TO footfall_reader")
  }
}

test("databases of one server that are migrated at the same time share the role footfall_reader", () =>
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

describe("migrate as a role without superuser rights", () => {
  const asReader = (sql: DatabaseClient, statement: string) =>
    sql.withTransaction(Effect.andThen(sql.unsafe("SET LOCAL ROLE footfall_reader"), sql.unsafe(statement)))

  test("a role with CREATEROLE creates footfall_reader and may switch to it", () =>
    withoutReader(() =>
      inDatabase(ownedDatabase("maker", "CREATEROLE"), (sql) =>
        Effect.gen(function* () {
          yield* migrate(sql)
          expect(yield* asReader(sql, "SELECT FROM v_pa_events")).toEqual([])
        })
      )
    ))

  test("a role without CREATEROLE applies every migration without creating footfall_reader", () =>
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

  test("a role without CREATEROLE grants an existing footfall_reader access to the views", () =>
    inDatabase(ownedDatabase("newcomer", "NOCREATEROLE"), (sql) =>
      Effect.gen(function* () {
        yield* migrate(sql)
        expect(
          yield* sql.unsafe("SELECT has_table_privilege('footfall_reader', 'v_pa_events', 'SELECT') AS may")
        ).toEqual([{ may: true }])
      })
    ))
})
