import { expect, test } from "bun:test"
import { pathToFileURL } from "node:url"
import { Effect, Redacted } from "effect"
import { makeJdbcCatalog } from "../../../../layers/iceberg/catalog/jdbc/JdbcCatalog.ts"
import { makeLocalObjectStore } from "../../../../layers/iceberg/io/LocalObjectStore.ts"
import type { ObjectStore } from "../../../../layers/iceberg/io/ObjectStore.ts"
import { jdbcClient } from "../../../../layers/lake/jdbcClient.ts"
import { connect } from "../../../support/postgres/database.ts"
import { emptyDatabase, openClient, temporaryFolder } from "../../../support/postgres/postgres.ts"
import { catalogContract } from "./catalogContract.ts"
import { append, freshName, NEW_TABLE } from "./tables.ts"

const warehouse = pathToFileURL(temporaryFolder()).href
let database: ReturnType<typeof emptyDatabase> | undefined

const open = (url: () => ReturnType<typeof emptyDatabase>, name = "lake") =>
  Effect.gen(function* () {
    const sql = yield* openClient(yield* Effect.promise(url), 2)
    return yield* makeJdbcCatalog({
      client: jdbcClient(sql),
      name,
      warehouse,
      store: yield* makeLocalObjectStore(warehouse)
    })
  })

const shared = () => {
  database ??= emptyDatabase()
  return database
}

catalogContract("jdbc", { open: open(shared), filesAreOurs: true, refusesEveryStaleTable: true })

const V0_TABLES = [
  `CREATE TABLE iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), PRIMARY KEY (catalog_name, table_namespace, table_name))`,
  `CREATE TABLE iceberg_namespace_properties(catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255),
    property_value VARCHAR(1000), PRIMARY KEY (catalog_name, namespace, property_key))`
]

const rowsAfter = async (before: ReadonlyArray<string>) => {
  const url = await emptyDatabase()
  await using sql = await connect(Redacted.value(url))
  for (const statement of before) await sql.query(statement)
  const name = { namespace: ["web", "eu"], name: "events" }
  const [first, second] = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const catalog = yield* open(() => Promise.resolve(url), "prod")
        const created = yield* catalog.create(name, NEW_TABLE)
        return [created, yield* catalog.commit(created, append(created))] as const
      })
    )
  )
  return {
    first,
    second,
    tables: await sql.query("SELECT * FROM iceberg_tables"),
    properties: await sql.query("SELECT * FROM iceberg_namespace_properties")
  }
}

test("a new database gets rows as in Iceberg's own catalog, in the V1 schema", async () => {
  const { first, properties, second, tables } = await rowsAfter([])
  expect(tables).toEqual([
    {
      catalog_name: "prod",
      table_namespace: "web.eu",
      table_name: "events",
      metadata_location: second.metadataLocation,
      previous_metadata_location: first.metadataLocation,
      iceberg_type: "TABLE"
    }
  ])
  expect(properties).toEqual([
    { catalog_name: "prod", namespace: "web.eu", property_key: "exists", property_value: "true" }
  ])
  expect(second.metadata.location).toBe(`${warehouse}/web/eu/events-${second.metadata["table-uuid"]}`)
  expect(first.metadataLocation).toMatch(
    /\/web\/eu\/events-[0-9a-f-]{36}\/metadata\/00000-[0-9a-f-]{36}\.metadata\.json$/
  )
  expect(second.metadataLocation).toMatch(
    /\/web\/eu\/events-[0-9a-f-]{36}\/metadata\/00001-[0-9a-f-]{36}\.metadata\.json$/
  )
})

test("a table that is created under the name of a renamed one shares no folder with it", async () => {
  const url = await emptyDatabase()
  await using sql = await connect(Redacted.value(url))
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const catalog = yield* open(() => Promise.resolve(url))
        const name = freshName()
        const renamed = yield* catalog.create(name, NEW_TABLE)
        yield* Effect.promise(() => sql.query("UPDATE iceberg_tables SET table_name = 'old'"))
        const created = yield* catalog.create(name, NEW_TABLE)
        // The same name under another catalog's name is another table, too.
        const other = yield* (yield* open(() => Promise.resolve(url), "other")).create(name, NEW_TABLE)
        const locations = [renamed, created, other].map(({ metadata }) => `${metadata.location}/`)
        for (const [index, location] of locations.entries()) {
          expect(locations.filter((each, at) => at !== index && each.startsWith(location))).toEqual([])
        }
      })
    )
  )
})

test("a V0 catalog without a type column is used unchanged", async () => {
  const { second, tables } = await rowsAfter(V0_TABLES)
  expect(tables).toHaveLength(1)
  expect(tables[0]).toMatchObject({ metadata_location: second.metadataLocation })
  expect(tables[0]).not.toHaveProperty("iceberg_type")
})

test("a row that a V0 client wrote is a table, and a view is not", async () => {
  const url = await emptyDatabase()
  await using sql = await connect(Redacted.value(url))
  await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const catalog = yield* open(() => Promise.resolve(url))
        const name = freshName()
        const created = yield* catalog.create(name, NEW_TABLE)
        yield* Effect.promise(() => sql.query("UPDATE iceberg_tables SET iceberg_type = NULL"))
        const loaded = yield* catalog.load(name)
        expect(loaded.metadata["table-uuid"]).toBe(created.metadata["table-uuid"])
        yield* catalog.commit(loaded, append(loaded))
        yield* Effect.promise(() => sql.query("UPDATE iceberg_tables SET iceberg_type = 'VIEW'"))
        expect((yield* Effect.flip(catalog.load(name))).reason).toBe("NotFound")
      })
    )
  )
})

test("catalogs with different names in one database have separate tables", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const [one, other] = [yield* open(shared, "one"), yield* open(shared, "other")]
        const name = freshName()
        yield* one.create(name, NEW_TABLE)
        expect((yield* Effect.flip(other.load(name))).reason).toBe("NotFound")
      })
    )
  ))

test("sixteen processes that start on an empty database create the catalog's tables together", async () => {
  const url = await emptyDatabase()
  await Effect.runPromise(
    Effect.forEach(
      Array.from({ length: 16 }),
      () =>
        Effect.scoped(
          Effect.flatMap(
            open(() => Promise.resolve(url)),
            (catalog) => catalog.create(freshName(), NEW_TABLE)
          )
        ),
      { concurrency: "unbounded" }
    )
  )
  await using sql = await connect(Redacted.value(url))
  expect(await sql.query("SELECT count(*)::int AS tables FROM iceberg_tables")).toEqual([{ tables: 16 }])
})

test("a location that is too long for the catalog's column is refused before anything is written", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* openClient(yield* Effect.promise(shared), 1)
        const long = `${warehouse}/${"folder/".repeat(140)}`
        const store = yield* makeLocalObjectStore(warehouse)
        const catalog = yield* makeJdbcCatalog({ client: jdbcClient(sql), name: "long", warehouse: long, store })
        const error = yield* Effect.flip(catalog.create(freshName(), NEW_TABLE))
        expect(error.reason).toBe("Invalid")
        expect(error.message).toContain("longer than the 1000 characters")
      })
    )
  ))

test("an unchanged metadata file is read only once", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* openClient(yield* Effect.promise(shared), 1)
        const store = yield* makeLocalObjectStore(warehouse)
        const read: Array<string> = []
        const counting: ObjectStore = {
          ...store,
          read: (location) =>
            Effect.andThen(
              Effect.sync(() => read.push(location)),
              store.read(location)
            )
        }
        const catalog = yield* makeJdbcCatalog({ client: jdbcClient(sql), name: "lake", warehouse, store: counting })
        const other = yield* open(shared)
        const name = freshName()
        const created = yield* catalog.create(name, NEW_TABLE)
        const committed = yield* catalog.commit(yield* catalog.load(name), append(created))
        yield* catalog.load(name)
        expect(read).toEqual([])
        const theirs = yield* other.commit(committed, append(committed))
        for (let load = 0; load < 3; load++) yield* catalog.load(name)
        expect(read).toEqual([theirs.metadataLocation])
      })
    )
  ))

test("a table whose metadata file is missing is reported as broken, not as absent", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const name = freshName()
        const { metadataLocation, store } = yield* (yield* open(shared)).create(name, NEW_TABLE)
        yield* store.remove([metadataLocation])
        const error = yield* Effect.flip((yield* open(shared)).load(name))
        expect(error.reason).toBe("Invalid")
        expect(error.message).toContain(`is missing: ${metadataLocation}`)
      })
    )
  ))

test("metadata is compressed and moved to another folder if the table's properties say so", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const catalog = yield* open(shared)
        const name = freshName()
        const properties = {
          "write.metadata.compression-codec": "gzip",
          "write.metadata.path": `${warehouse}/elsewhere/`
        }
        const created = yield* catalog.create(name, { ...NEW_TABLE, properties })
        expect(created.metadataLocation).toMatch(/\/elsewhere\/00000-[0-9a-f-]{36}\.gz\.metadata\.json$/)
        expect([...(yield* created.store.readRange(created.metadataLocation, 0, 2))]).toEqual([0x1f, 0x8b])
        const committed = yield* catalog.commit(created, append(created))
        const loaded = yield* (yield* open(shared)).load(name)
        expect(loaded.metadata["current-snapshot-id"]).toBe(committed.metadata["current-snapshot-id"]!)
      })
    )
  ))
