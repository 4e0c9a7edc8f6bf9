import { afterAll, beforeAll, expect, test } from "bun:test"
import { pathToFileURL } from "node:url"
import { Effect, Fiber, Redacted, type Scope, Stream } from "effect"
import type { Catalog, Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import { makeJdbcCatalog } from "../../../../layers/iceberg/catalog/jdbc/JdbcCatalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { makeLocalObjectStore } from "../../../../layers/iceberg/io/LocalObjectStore.ts"
import { jdbcClient } from "../../../../layers/lake/jdbcClient.ts"
import { connect } from "../../../support/database.ts"
import { openClient, temporaryFolder } from "../../../support/postgres.ts"
import { PostgresServer } from "../../../support/postgresServer.ts"
import { type Fault, FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { append, freshName, NEW_TABLE, setProperties, snapshotIds, snapshotOn } from "./tables.ts"

/** Matches the statement that swaps the pointer: only its parameters contain a metadata file. */
const SWAP = /\.metadata\.json/
const TIMEOUT_MS = 60_000

const warehouse = pathToFileURL(temporaryFolder()).href
let server: PostgresServer
beforeAll(async () => {
  server = await PostgresServer.start()
}, TIMEOUT_MS)
afterAll(() => server[Symbol.asyncDispose]())

interface Bench {
  readonly proxy: FaultProxy
  /** Connects through the proxy. */
  readonly catalog: Catalog
  /** Connects directly. */
  readonly truth: Catalog
  readonly name: TableName
  readonly table: Table
}

const openAt = (url: string) =>
  Effect.gen(function* () {
    const sql = yield* openClient(Redacted.make(url), 2)
    return yield* makeJdbcCatalog({
      client: jdbcClient(sql),
      name: "lake",
      warehouse,
      store: yield* makeLocalObjectStore(warehouse)
    })
  })

const it = (sentence: string, body: (bench: Bench) => Effect.Effect<void, IcebergError, Scope.Scope>): void =>
  test(
    sentence,
    () =>
      Effect.gen(function* () {
        using proxy = yield* Effect.promise(() => FaultProxy.before(server.port))
        const truth = yield* openAt(server.url)
        const catalog = yield* openAt(server.url.replace(`:${server.port}`, `:${proxy.port}`))
        const name = freshName()
        yield* truth.create(name, NEW_TABLE)
        const table = yield* catalog.load(name)
        yield* body({ proxy, catalog, truth, name, table })
      }).pipe(Effect.scoped, Effect.runPromise),
    TIMEOUT_MS
  )

/** The existing metadata files. */
const filesOf = (table: Table) =>
  Effect.map(Stream.runCollect(table.store.list(`${table.metadata.location}/metadata/`)), (found) =>
    found.map(({ location }) => location).toSorted()
  )

const failureOf = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<IcebergError | undefined> =>
  Effect.match(effect, { onFailure: (error) => error, onSuccess: () => undefined })

for (const fault of ["loseAnswer", "cut"] satisfies ReadonlyArray<Fault>) {
  const what = fault === "cut" ? "a swap that never arrives" : "a lost response to the swap"
  it(`${what} does not fail ten commits in a row`, ({ catalog, name, proxy, table, truth }) =>
    Effect.gen(function* () {
      let current = table
      for (let round = 0; round < 10; round++) {
        proxy.first(SWAP, fault)
        current = yield* catalog.commit(current, append(current))
      }
      const loaded = yield* truth.load(name)
      expect(snapshotIds(loaded)).toEqual(snapshotIds(current))
      expect(snapshotIds(loaded)).toHaveLength(10)
      expect(loaded.metadataLocation).toBe(current.metadataLocation)
      expect(yield* filesOf(loaded)).toHaveLength(11)
    }))

  it(`${what} does not fail the creation of a table`, ({ catalog, proxy, truth }) =>
    Effect.gen(function* () {
      const name = freshName()
      proxy.first(SWAP, fault)
      const created = yield* catalog.create(name, NEW_TABLE)
      expect((yield* truth.load(name)).metadataLocation).toBe(created.metadataLocation)
      expect(yield* filesOf(created)).toEqual([created.metadataLocation])
    }))
}

it("a commit whose response was lost succeeds if other commits were built on it", ({
  catalog,
  name,
  proxy,
  table,
  truth
}) =>
  Effect.gen(function* () {
    const snapshot = snapshotOn(table)
    let others: Promise<Table> | undefined
    proxy.decide = (piece) => {
      if (!SWAP.test(piece)) {
        // The database is unreachable until the other commits are done.
        return others === undefined ? undefined : "cut"
      }
      others ??= Effect.runPromise(
        Effect.gen(function* () {
          let top = yield* truth.load(name)
          while (!snapshotIds(top).includes(snapshot["snapshot-id"])) top = yield* truth.load(name)
          for (let count = 0; count < 3; count++) top = yield* truth.commit(top, append(top))
          proxy.decide = () => undefined
          return top
        })
      )
      return "loseAnswer"
    }
    const committed = yield* catalog.commit(table, append(table, snapshot))
    expect(snapshotIds(committed)).toEqual([snapshot["snapshot-id"]])
    const top = yield* Effect.promise(() => others!)
    const loaded = yield* truth.load(name)
    expect(snapshotIds(loaded)).toEqual(snapshotIds(top))
    expect(snapshotIds(loaded)).toHaveLength(4)
  }))

it("a commit that was lost before another one succeeded is a conflict, and its file is kept", ({
  catalog,
  name,
  proxy,
  table,
  truth
}) =>
  Effect.gen(function* () {
    let other: Promise<Table> | undefined
    proxy.decide = (piece) => {
      if (SWAP.test(piece) && other === undefined) {
        other = Effect.runPromise(truth.commit(table, append(table))).finally(() => {
          proxy.decide = () => undefined
        })
        return "cut"
      }
      return "cut"
    }
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Conflict")
    const loaded = yield* truth.load(name)
    expect(loaded.metadataLocation).toBe((yield* Effect.promise(() => other!)).metadataLocation)
    expect(yield* filesOf(loaded)).toHaveLength(3)
  }))

it("the metadata file of a definite conflict is removed", ({ catalog, name, table, truth }) =>
  Effect.gen(function* () {
    yield* truth.commit(table, append(table))
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Conflict")
    expect(yield* filesOf(yield* truth.load(name))).toHaveLength(2)
  }))

it("a commit without a snapshot survives a lost response", ({ catalog, name, proxy, table, truth }) =>
  Effect.gen(function* () {
    proxy.first(SWAP, "loseAnswer")
    yield* catalog.commit(table, setProperties(table, { watermark: "17" }))
    expect((yield* truth.load(name)).metadata.properties["watermark"]).toBe("17")
  }))

it("if the database fails after the swap, the outcome is unknown, nothing is deleted, and the commit was applied", (bench) =>
  Effect.gen(function* () {
    const { catalog, name, proxy, table, truth } = bench
    const snapshot = snapshotOn(table)
    proxy.decide = (piece) => {
      if (!SWAP.test(piece)) return undefined
      queueMicrotask(() => {
        proxy.decide = () => "cut"
      })
      return "loseAnswer"
    }
    const error = yield* failureOf(catalog.commit(table, append(table, snapshot)))
    expect(error?.reason).toBe("Unknown")
    expect(error?.message).toMatch(/^It is unknown whether file:.* was committed: /)
    const loaded = yield* truth.load(name)
    expect(snapshotIds(loaded)).toEqual([snapshot["snapshot-id"]])
    expect(yield* filesOf(loaded)).toHaveLength(2)
  }))

it("if the database fails before the swap, the outcome is unknown, nothing is deleted, and the commit was not applied", (bench) =>
  Effect.gen(function* () {
    const { catalog, name, proxy, table, truth } = bench
    proxy.decide = (piece) => {
      if (!SWAP.test(piece)) return undefined
      proxy.decide = () => "cut"
      return "cut"
    }
    expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Unknown")
    const loaded = yield* truth.load(name)
    expect(snapshotIds(loaded)).toEqual([])
    expect(yield* filesOf(loaded)).toHaveLength(2)
  }))

test(
  "killing the database during commits loses no successful commit and repeats none",
  async () => {
    await using postgres = await PostgresServer.start()
    await Effect.gen(function* () {
      const catalog = yield* openAt(postgres.url)
      const name = freshName()
      yield* catalog.create(name, NEW_TABLE)
      const done: Array<bigint> = []
      const unsure: Array<bigint> = []
      const committing = yield* Effect.forkChild(
        Effect.gen(function* () {
          while (done.length < 200) {
            const loaded = yield* Effect.result(catalog.load(name))
            if (loaded._tag === "Failure") continue
            const snapshot = snapshotOn(loaded.success)
            const outcome = yield* failureOf(catalog.commit(loaded.success, append(loaded.success, snapshot)))
            if (outcome === undefined) done.push(snapshot["snapshot-id"])
            else if (outcome.reason === "Unknown") unsure.push(snapshot["snapshot-id"])
            else expect(outcome.reason).toBe("Unavailable")
          }
        })
      )
      for (const size of [40, 100]) {
        while (done.length < size) yield* Effect.sleep("1 millis")
        yield* Effect.promise(() => postgres.kill())
        yield* Effect.promise(() => postgres.start())
      }
      yield* Fiber.join(committing)
      const found = snapshotIds(yield* catalog.load(name))
      expect(found.filter((id) => !unsure.includes(id))).toEqual(done)
    }).pipe(Effect.scoped, Effect.runPromise)
    await using sql = await connect(postgres.url)
    expect(await sql.query("SELECT count(*)::int AS rows FROM iceberg_tables")).toEqual([{ rows: 1 }])
  },
  TIMEOUT_MS
)

it("a load fails after 10 seconds if the database does not answer", ({ catalog, name, proxy }) =>
  Effect.gen(function* () {
    proxy.decide = () => "hang"
    const error = yield* failureOf(catalog.load(name))
    expect(error?.reason).toBe("Unavailable")
    expect(error?.message).toContain("did not answer within 10 seconds")
  }))

test("the error for an unreachable database does not contain the password", async () => {
  const reasons = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const refused = yield* openAt("postgres://footfall:pw-secret@127.0.0.1:1/lake")
        return yield* failureOf(refused.load(freshName()))
      })
    )
  )
  expect(reasons?.reason).toBe("Unavailable")
  expect(reasons?.message).not.toContain("pw-secret")
})
