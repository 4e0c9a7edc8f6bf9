import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Layer, type Redacted, Scope, Stream } from "effect"
import { AppDatabase } from "../../../layers/postgres/client/Database.ts"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import * as PgReplicaAdmin from "../../../layers/replica/PgReplicaAdmin.ts"
import { DataType, EventType } from "../../../src/domain/Event.ts"
import type { ReplicaStatus } from "../../../src/ports/Replica.ts"
import { ReplicaAdmin } from "../../../src/ports/ReplicaAdmin.ts"
import type { Storage } from "../../../src/ports/Storage.ts"
import { saveAll } from "../../support/collect/records.ts"
import { SmallDisk } from "../../support/disk/SmallDisk.ts"
import { until } from "../../support/eventually.ts"
import { notTested } from "../../support/notTested.ts"
import { openStorage } from "../../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../../support/postgres/postgres.ts"
import { childrenOf, signal } from "../../support/process/processes.ts"
import { replicaFolder, startReplica, type TestReplica } from "../../support/replica/replica.ts"
import { randomFrom, type Traffic, traffic } from "../../support/replica/traffic.ts"
import { contentOfPostgres, contentOfReplica } from "../../support/replica/truth.ts"

setDefaultTimeout(120_000)

const EVENTS = 2_000
const scope = Scope.makeUnsafe()
const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Scope.provide(effect, scope))

let url: Redacted.Redacted<string>
let sql: DatabaseClient
let storage: Storage["Service"]
let visitors: Traffic

const save = (count: number) => Effect.runPromise(saveAll(storage, Array.from({ length: count }, visitors.next)))

beforeAll(async () => {
  url = await freshDatabase()
  sql = await inScope(openClient(url, 2))
  storage = await inScope(openStorage(url))
  visitors = traffic(randomFrom(3), Date.now)
  await save(EVENTS)
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const statusOf = (replica: TestReplica): ReplicaStatus => Effect.runSync(replica.replica.status)!

const expectEqual = async (replica: TestReplica) => {
  await replica.sync()
  expect(await contentOfReplica(replica.rows)).toEqual(await contentOfPostgres(sql))
}

const processOf = (): number => {
  // The newest: one that a test before this one has stopped may still be ending.
  const found = childrenOf(process.pid).findLast((pid) =>
    Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)])
      .stdout.toString()
      .includes("replicaChild")
  )
  if (found === undefined) throw new Error("the replica's process does not run")
  return found
}

describe("a replica whose process is killed", () => {
  test("a replica that is killed while it follows and while it writes checkpoints continues without losing or repeating an event", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    for (let kill = 0; kill < 5; kill++) {
      const saving = save(300)
      await Bun.sleep(kill * 90)
      signal(processOf(), "SIGKILL")
      await saving
      await replica.sync()
    }
    await expectEqual(replica)
    expect(existsSync(join(replica.folder, "set-aside.duckdb"))).toBe(false)
  })

  test("a replica that is killed while it is rebuilt finishes the rebuild", async () => {
    const folder = replicaFolder()
    for (const afterMs of [150, 300, 400, 500]) {
      const replica = await startReplica(url, { folder, keepsFolder: true })
      await Bun.sleep(afterMs)
      signal(processOf(), "SIGKILL")
      await replica[Symbol.asyncDispose]()
    }
    await using replica = await startReplica(url, { folder })
    await expectEqual(replica)
  })

  test("queries fail as Unavailable while the process is gone, and answer again when it has restarted", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const query = {
      sql: "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b",
      parameters: [],
      tables: []
    }
    const failing = Effect.runPromise(Effect.flip(replica.engine.run(query)))
    await Bun.sleep(200)
    signal(processOf(), "SIGKILL")
    expect((await failing).reason).toBe("Unavailable")
    expect(statusOf(replica).isUsable).toBe(false)
    await until("it is usable", () => statusOf(replica).isUsable)
    expect(await replica.rows("SELECT 1 AS one")).toEqual([[1]])
  })
})

describe("a replica whose file is lost or damaged", () => {
  let folder: string
  beforeEach(async () => {
    folder = replicaFolder()
    await using replica = await startReplica(url, { folder, keepsFolder: true })
    await replica.sync()
  })

  const file = () => join(folder, "replica.duckdb")

  test.each<[string, () => void, boolean]>([
    ["deleted", () => rmSync(file()), false],
    ["empty", () => truncateSync(file(), 0), true],
    ["garbage", () => writeFileSync(file(), Buffer.alloc(300_000, 7)), true],
    ["torn in half", () => truncateSync(file(), Math.floor(statSync(file()).size / 2)), true],
    [
      "of another version",
      () => {
        const content = readFileSync(file())
        // The storage version follows the checksum and the magic number.
        content[12] = 250
        writeFileSync(file(), content)
      },
      true
    ]
  ])("a file that is %s is replaced by a rebuild", async (_, damage, isKept) => {
    damage()
    await using replica = await startReplica(url, { folder })
    await expectEqual(replica)
    expect(existsSync(join(folder, "set-aside.duckdb"))).toBe(isKept)
  })

  test("a flipped bit is noticed by the query that reads it, and the file is rebuilt", async () => {
    const content = readFileSync(file())
    // Everything but the headers: some of it is not in use.
    for (let at = 12_288; at < content.length; at += 4_096) content[at]! ^= 1
    writeFileSync(file(), content)
    await using replica = await startReplica(url, { folder })
    await until("it has noticed", async () => {
      await replica.rows("SELECT sum(hash(event)) FROM event").catch(() => {})
      return existsSync(join(folder, "set-aside.duckdb"))
    })
    await expectEqual(replica)
  })

  test("a second process waits for the first to release the folder", async () => {
    const first = await startReplica(url, { folder, keepsFolder: true })
    await first.sync()
    await using second = await startReplica(url, { folder })
    await until("it waits", () => statusOf(second).phase === "waiting")
    expect(statusOf(second)).toMatchObject({ isUsable: false, why: `another process uses ${folder}` })
    await first[Symbol.asyncDispose]()
    await expectEqual(second)
  })
})

describe("a replica of a database with another history", () => {
  test("a replica is rebuilt when the database has forgotten it, as after a restore from a backup", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const before = statusOf(replica).version
    // A backup from before has another token, or no row at all.
    await Effect.runPromise(
      sql.unsafe("UPDATE product_analytics_replica SET token = gen_random_uuid(), previous_token = gen_random_uuid()")
    )
    await until("it begins again", () => statusOf(replica).version.split(" ")[0] !== before.split(" ")[0])
    await expectEqual(replica)
  })

  test("a replica that was away for longer than its notes were kept is rebuilt", async () => {
    const folder = replicaFolder()
    const away = await startReplica(url, { folder, keepsFolder: true })
    await away.sync()
    await away[Symbol.asyncDispose]()
    await save(10)
    await Effect.runPromise(sql.unsafe("UPDATE product_analytics_replica_horizon SET xid = pg_current_xact_id()"))
    await using replica = await startReplica(url, { folder })
    await expectEqual(replica)
    await Effect.runPromise(sql.unsafe("UPDATE product_analytics_replica_horizon SET xid = '0'"))
  })
})

describe("a replica whose disk is full", () => {
  test("a replica on a full disk stops following, and continues when there is room", async () => {
    using disk = SmallDisk.mount(96)
    if (disk === null) return notTested("A replica on a full disk: this process may not mount a file system.")
    await using replica = await startReplica(url, { folder: disk.path, keepsFolder: true })
    await replica.sync()
    disk.fill()
    await save(500)
    await until("it waits", () => statusOf(replica).phase === "waiting", 30_000)
    disk.free()
    await expectEqual(replica)
  })

  test("a replica leaves the last bytes of a disk to Postgres", async () => {
    await using replica = await startReplica(url, { minFreeBytes: Number.MAX_SAFE_INTEGER })
    await until("it waits", () => statusOf(replica).phase === "waiting")
    expect(statusOf(replica).why).toContain("must stay free")
    expect(statusOf(replica).isUsable).toBe(false)
  })
})

/** Deletes all rows of a site, and waits until a replica has overwritten their bytes. */
const erase = async (siteId: string, { folder }: TestReplica) => {
  const noteId = await Effect.runPromise(
    sql.withTransaction(
      Effect.gen(function* () {
        for (const table of ["event_data", "event", "session"]) {
          yield* sql.unsafe(`DELETE FROM product_analytics_${table} WHERE site_id = $1::uuid`, [siteId])
        }
        const [row] = yield* sql.unsafe<{ id: bigint }>(
          "SELECT product_analytics_replica_resync($1::uuid, NULL, NULL, true) AS id",
          [siteId]
        )
        return row!.id
      })
    )
  )
  // Replicas of other tests are gone, and would be waited for.
  await Effect.runPromise(sql.unsafe("DELETE FROM product_analytics_replica WHERE folder <> $1", [folder]))
  const admin = PgReplicaAdmin.layer.pipe(Layer.provide(Layer.succeed(AppDatabase, sql)))
  await Effect.runPromise(
    Effect.flatMap(ReplicaAdmin, ({ awaitApplied }) => awaitApplied({ noteId, timeoutSeconds: 60 })).pipe(
      Effect.provide(admin)
    )
  )
}

describe("erased rows", () => {
  test("the bytes of erased rows are in neither the file nor its log when the erasure has been applied", async () => {
    const marker = "marker-4f1c-erase-me"
    const own = traffic(randomFrom(5), Date.now)
    const marked = () => ({ ...own.next(), siteId: own.sites[0]!, pageTitle: marker, urlPath: `/${marker}` })
    const saveMarked = () => Effect.runPromise(saveAll(storage, Array.from({ length: 300 }, marked)))
    await saveMarked()
    await using replica = await startReplica(url, { configuration: { force_compression: "uncompressed" } })
    await replica.sync()
    await saveMarked()
    await replica.sync()
    const found = () =>
      ["replica.duckdb", "replica.duckdb.wal"].map((name) => {
        const path = join(replica.folder, name)
        return existsSync(path) && readFileSync(path).includes(marker)
      })
    expect(found()).toEqual([true, true])
    await erase(own.sites[0]!, replica)
    expect(found()).toEqual([false, false])
    await expectEqual(replica)
  })

  test("ids of events and long numbers are stored in the forms that DuckDB reads quickly, also after an erasure has rewritten the tables", async () => {
    const own = traffic(randomFrom(9), Date.now)
    const random = randomFrom(10)
    const priced = () => {
      const price = Math.round(random() * 1e9) / 1e4
      const number = { key: "price", type: DataType.number, string: String(price), number: price, date: null }
      return { ...own.next(), type: EventType.custom, name: "order", revenue: price, properties: [number] }
    }
    await Effect.runPromise(saveAll(storage, Array.from({ length: 4_000 }, priced)))
    await using replica = await startReplica(url)
    await replica.sync()
    const forms = async () => {
      const of = async (table: string) =>
        (
          await replica.rows(
            `SELECT DISTINCT column_name, compression FROM pragma_storage_info('${table}')
             WHERE column_name IN ('event_id', 'number_value', 'revenue') AND segment_type IN ('UUID', 'DECIMAL(19,4)') ORDER BY 1, 2`
          )
        ).map((row) => row.join(" "))
      const [month] = await replica.rows(
        "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'event_2%' ORDER BY estimated_size DESC LIMIT 1"
      )
      return { events: await of(String(month![0])), properties: (await of("event_data")).slice(-1) }
    }
    const quick = { events: ["event_id Uncompressed", "revenue RLE"], properties: ["number_value RLE"] }
    expect(await forms()).toEqual(quick)
    await erase(own.sites[1]!, replica)
    expect(await forms()).toEqual(quick)
    await expectEqual(replica)
  })
})

describe("queries of a replica", () => {
  test("a query can neither change the file, nor read another one, nor change a setting", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const reasonOf = (text: string) =>
      Effect.runPromise(Effect.flip(replica.engine.run({ sql: text, parameters: [], tables: [] }))).then(
        ({ reason }) => reason
      )
    for (const text of [
      "DELETE FROM event",
      "CREATE TABLE x (a INTEGER)",
      "SET memory_limit = '10GB'",
      "COPY event TO '/tmp/stolen.csv'",
      "ATTACH '/tmp/other.db'",
      "SELECT 1; DROP VIEW event"
    ]) {
      expect([text, await reasonOf(text)]).toEqual([text, "Invalid"])
    }
    for (const text of [
      "SELECT * FROM read_text('/etc/passwd')",
      "SELECT * FROM read_csv('/etc/passwd')",
      "SELECT * FROM glob('/etc/*')"
    ]) {
      expect([text, await reasonOf(text)]).toEqual([text, "Invalid"])
    }
    const parameters = [{ type: "text", value: "'); DROP VIEW event; --" }] as const
    const { rows } = await Effect.runPromise(
      replica.engine.run({ sql: "SELECT CAST($1 AS text) AS given", parameters, tables: [] })
    )
    expect(rows).toEqual([["'); DROP VIEW event; --"]])
  })

  test("a query that exceeds its deadline is interrupted, and the next one runs", async () => {
    await using replica = await startReplica(url, { deadlineMs: 500 })
    await replica.sync()
    const endless = {
      sql: "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b",
      parameters: [],
      tables: []
    }
    const error = await Effect.runPromise(Effect.flip(replica.engine.run(endless)))
    expect(error.reason).toBe("Timeout")
    await until("the next one runs", async () => (await replica.rows("SELECT 1 AS one").catch(() => [])).length === 1)
  })

  test("every thread of the replica's process gives way to those that collect", async () => {
    if (process.platform !== "linux") return notTested("threads have a priority of their own only on Linux")
    await using replica = await startReplica(url)
    await replica.sync()
    await replica.rows("SELECT sum(a.range * b.range) FROM range(10000) a, range(10000) b")
    const tasks = `/proc/${processOf()}/task`
    const nicenesses = readdirSync(tasks).map((thread) => {
      const stat = readFileSync(join(tasks, thread, "stat"), "utf8")
      // The fields after the name of the thread, which may have spaces.
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])
    })
    expect(nicenesses.length).toBeGreaterThan(2)
    expect(new Set(nicenesses)).toEqual(new Set([15]))
  })

  test("a stream has every row at the pace of its reader, and closing it early frees its place", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const all = replica.engine.stream({ sql: "SELECT n FROM range(100000) AS t (n)", parameters: [], tables: [] })
    const counted = await Effect.runPromise(
      Stream.runFold(
        all,
        () => 0,
        (count, { rows }) => count + rows.length
      )
    )
    expect(counted).toBe(100_000)
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await Effect.runPromise(Stream.runCollect(Stream.take(all, 1)))).toHaveLength(1)
    }
    const slow = replica.engine.stream({ sql: "SELECT n FROM range(2000000) AS t (n)", parameters: [], tables: [] })
    const before = process.memoryUsage().rss
    await Effect.runPromise(
      Stream.runDrain(
        Stream.take(
          Stream.tap(slow, () => Effect.sleep("2 millis")),
          300
        )
      )
    )
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
  })

  test("a stream's deadline has less left when earlier queries of the same export took some of it", async () => {
    await using replica = await startReplica(url, { exportDeadlineMs: 60_000 })
    await replica.sync()
    const query = { sql: "SELECT n FROM range(2000000) AS t (n)", parameters: [], tables: [] }
    const atPace = (spentMs: number) =>
      Effect.runPromise(
        Effect.flip(
          Stream.runDrain(
            Stream.tap(replica.engine.stream(query, spentMs), ({ rows }) =>
              rows.length > 0 ? Effect.sleep("20 millis") : Effect.void
            )
          )
        )
      )
    expect(await atPace(59_000)).toMatchObject({
      reason: "Timeout",
      message: "The export did not end within 60 s. Export less, or increase EXPORT_TIMEOUT_SECONDS."
    })
    expect((await atPace(60_001)).reason).toBe("Timeout")
    // Its place is free again.
    for (let turn = 0; turn < 5; turn++)
      expect(await Effect.runPromise(Stream.runCollect(Stream.take(replica.engine.stream(query), 1)))).toHaveLength(1)
  })

  test("the version changes when the data does, and only then", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const first = await Effect.runPromise(replica.engine.asOf)
    await replica.sync()
    const second = await Effect.runPromise(replica.engine.asOf)
    expect(second.version).toBe(first.version)
    expect(second.time > first.time).toBe(true)
    await save(1)
    await replica.sync()
    expect((await Effect.runPromise(replica.engine.asOf)).version).not.toBe(first.version)
  })
})
