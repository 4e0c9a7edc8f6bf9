import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Fiber, Option, Redacted } from "effect"
import { PARTITION_JOB_LOCK } from "../../layers/postgres/client/advisoryLocks.ts"
import { withJobLock } from "../../layers/postgres/client/jobLock.ts"
import { openPool } from "../../layers/postgres/client/openPool.ts"
import { expectHonest, Load } from "../support/collect/load.ts"
import { until } from "../support/eventually.ts"
import { run } from "../support/postgres/controlPlane.ts"
import { connect, type Database, prepareInstance } from "../support/postgres/database.ts"
import { hasPgBouncer, PgBouncer } from "../support/postgres/PgBouncer.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

setDefaultTimeout(180_000)

const HELD = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ${PARTITION_JOB_LOCK}`

describe.skipIf(!hasPgBouncer())("PgBouncer in transaction mode", () => {
  let postgres: PostgresServer
  let bouncer: PgBouncer
  let direct: Database
  let instance: { readonly DATABASE_URL: string; readonly APP_SECRET: string }
  beforeAll(async () => {
    postgres = await PostgresServer.start()
    instance = await prepareInstance(postgres.url)
    bouncer = await PgBouncer.start({ serverPort: postgres.port, poolSize: 4 })
    direct = await connect(postgres.url, 1)
  })
  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]()
    await bouncer?.[Symbol.asyncDispose]()
    await postgres?.[Symbol.asyncDispose]()
  })

  const openBounced = () =>
    openPool({ url: Redacted.make(bouncer.url("postgres")), embedded: false }, {}, { maxConnections: 3 })

  test("a job's lock is released with the job, whichever connections the pooler lends meanwhile", () =>
    run(
      Effect.gen(function* () {
        const [client, other] = yield* Effect.all([openBounced(), openBounced()])
        // Others keep the pool's connections busy, so that each statement gets a different one.
        const noise = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 3 }, () => Effect.forever(other.unsafe("SELECT pg_sleep(random() * 0.005)"))),
            { concurrency: "unbounded" }
          )
        )
        let runs = 0
        for (let attempt = 0; attempt < 40; attempt++) {
          const job = Effect.andThen(client.unsafe("SELECT 1"), Effect.succeed("ran"))
          if (Option.isSome(yield* withJobLock(attempt % 2 === 0 ? client : other, PARTITION_JOB_LOCK, job))) runs++
        }
        expect(runs).toBe(40)
        yield* Fiber.interrupt(noise)
        expect(yield* Effect.promise(() => direct.query(HELD))).toEqual([])
      })
    ))

  test("while one process has a job's lock, another one skips the job, and an interrupted job releases it", () =>
    run(
      Effect.gen(function* () {
        const [client, other] = yield* Effect.all([openBounced(), openBounced()])
        const job = yield* Effect.forkChild(withJobLock(client, PARTITION_JOB_LOCK, Effect.never))
        yield* Effect.promise(() => until("the lock is held", async () => (await direct.query(HELD)).length === 1))
        expect(yield* withJobLock(other, PARTITION_JOB_LOCK, Effect.succeed("ran"))).toEqual(Option.none())
        yield* Fiber.interrupt(job)
        expect(yield* withJobLock(other, PARTITION_JOB_LOCK, Effect.succeed("ran"))).toEqual(Option.some("ran"))
      })
    ))

  test("a killed process's lock is free at once", async () => {
    const environment = { ...instance, DATABASE_URL: bouncer.url("postgres") }
    await using full = await Footfall.start({ entry: "full", environment })
    await until(
      "the job ran",
      async () =>
        (await direct.query("SELECT FROM pg_inherits WHERE inhparent = 'product_analytics_event'::regclass")).length >=
        5,
      30_000
    )
    await full.kill()
    await until("the lock is free", async () => (await direct.query(HELD)).length === 0)
  })

  test("a collector stores events through the pooler, also when the pooler's servers are replaced", async () => {
    const environment = { ...instance, DATABASE_URL: bouncer.url("postgres"), STORAGE_TIMEOUT_SECONDS: "10" }
    await using collector = await Footfall.start({ environment })
    await using load = new Load({ port: collector.port, connections: 4 })
    await load.stores(200)
    await direct.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'footfall'")
    await load.stores(200)
    await load.stop()
    expect([load.unanswered, load.count(503)]).toEqual([0, 0])
    await expectHonest(direct, load)
  })
})
