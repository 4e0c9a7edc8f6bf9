import { afterAll, beforeAll, expect, test } from "bun:test"
import { pathToFileURL } from "node:url"
import { Effect, Fiber, Redacted } from "effect"
import { makeJdbcCatalog } from "../../../../layers/iceberg/catalog/jdbc/JdbcCatalog.ts"
import { makeLocalObjectStore } from "../../../../layers/iceberg/io/LocalObjectStore.ts"
import { jdbcClient } from "../../../../layers/lake/jdbcClient.ts"
import { connect } from "../../../support/postgres/database.ts"
import { openClient, temporaryFolder } from "../../../support/postgres/postgres.ts"
import { PostgresServer } from "../../../support/postgres/postgresServer.ts"
import { FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { commitFaultContract, failureOf, faultTest } from "./commitFaultContract.ts"
import { append, freshName, NEW_TABLE, snapshotIds, snapshotOn } from "./tables.ts"

/** Matches the statements that write the pointer: only their parameters contain a metadata file. */
const WRITES_POINTER = /\.metadata\.json/
const TIMEOUT_MS = 60_000

const warehouse = pathToFileURL(temporaryFolder()).href
let server: PostgresServer
beforeAll(async () => {
  server = await PostgresServer.start()
}, TIMEOUT_MS)
afterAll(() => server[Symbol.asyncDispose]())

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

const open = Effect.gen(function* () {
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => FaultProxy.before(server.port)),
    (started) => Effect.sync(() => started[Symbol.dispose]())
  )
  return {
    proxy,
    truth: yield* openAt(server.url),
    catalog: yield* openAt(server.url.replace(`:${server.port}`, `:${proxy.port}`))
  }
})

commitFaultContract("jdbc", {
  open,
  create: WRITES_POINTER,
  swap: WRITES_POINTER,
  faults: [
    ["a lost response to the swap", "loseAnswer"],
    ["a swap that never arrives", "cut"]
  ],
  rounds: 10,
  lost: "cut"
})

test(
  "killing the database during commits loses no successful commit and repeats none",
  async () => {
    await using postgres = await PostgresServer.start()
    await Effect.gen(function* () {
      const catalog = yield* openAt(postgres.url)
      const name = freshName()
      yield* catalog.create(name, NEW_TABLE)
      const committed: Array<bigint> = []
      const uncertain: Array<bigint> = []
      const committing = yield* Effect.forkChild(
        Effect.gen(function* () {
          while (committed.length < 200) {
            const loaded = yield* Effect.result(catalog.load(name))
            if (loaded._tag === "Failure") continue
            const snapshot = snapshotOn(loaded.success)
            const failure = yield* failureOf(catalog.commit(loaded.success, append(loaded.success, snapshot)))
            if (failure === null) committed.push(snapshot["snapshot-id"])
            else if (failure.reason === "Unknown") uncertain.push(snapshot["snapshot-id"])
            else expect(failure.reason).toBe("Unavailable")
          }
        })
      )
      for (const count of [40, 100]) {
        while (committed.length < count) yield* Effect.sleep("1 millis")
        yield* Effect.promise(() => postgres.kill())
        yield* Effect.promise(() => postgres.start())
      }
      yield* Fiber.join(committing)
      const found = snapshotIds(yield* catalog.load(name))
      expect(found.filter((id) => !uncertain.includes(id))).toEqual(committed)
    }).pipe(Effect.scoped, Effect.runPromise)
    await using sql = await connect(postgres.url)
    expect(await sql.query("SELECT count(*)::int AS rows FROM iceberg_tables")).toEqual([{ rows: 1 }])
  },
  TIMEOUT_MS
)

faultTest(open)("a load fails after 10 seconds if the database does not answer", ({ catalog, name, proxy }) =>
  Effect.gen(function* () {
    proxy.decide = () => "hang"
    const error = yield* failureOf(catalog.load(name))
    expect(error?.reason).toBe("Unavailable")
    expect(error?.message).toContain("did not answer within 10 seconds")
  })
)

test("the error for an unreachable database does not contain the password", async () => {
  const error = await Effect.gen(function* () {
    const unreachable = yield* openAt("postgres://footfall:pw-secret@127.0.0.1:1/lake")
    return yield* failureOf(unreachable.load(freshName()))
  }).pipe(Effect.scoped, Effect.runPromise)
  expect(error?.reason).toBe("Unavailable")
  expect(error?.message).not.toContain("pw-secret")
})
