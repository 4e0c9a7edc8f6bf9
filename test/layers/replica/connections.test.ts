import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { saveAll } from "../../support/collect/records.ts"
import { until } from "../../support/eventually.ts"
import { notTested } from "../../support/notTested.ts"
import { connect, prepareInstance } from "../../support/postgres/database.ts"
import { hasPgBouncer, PgBouncer } from "../../support/postgres/PgBouncer.ts"
import { openStorage } from "../../support/postgres/pgStorage.ts"
import { openClient, temporaryFolder } from "../../support/postgres/postgres.ts"
import { PostgresServer } from "../../support/postgres/postgresServer.ts"
import { replicaFolder, startReplica } from "../../support/replica/replica.ts"
import { randomFrom, traffic } from "../../support/replica/traffic.ts"
import { contentOfPostgres, contentOfReplica } from "../../support/replica/truth.ts"

setDefaultTimeout(180_000)

/** Builds a replica over `url`, lets it follow, and compares it with Postgres, which `direct` reaches. */
const expectFollows = (url: string, direct: string) =>
  Effect.gen(function* () {
    const storage = yield* openStorage(Redacted.make(direct))
    const sql = yield* openClient(Redacted.make(direct), 1)
    const visitors = traffic(randomFrom(17), Date.now)
    const save = (count: number) => saveAll(storage, Array.from({ length: count }, visitors.next))
    yield* save(500)
    yield* Effect.promise(async () => {
      await using replica = await startReplica(Redacted.make(url))
      await replica.sync()
      await Effect.runPromise(save(500))
      await replica.sync()
      expect(await contentOfReplica(replica.rows)).toEqual(await contentOfPostgres(sql))
    })
  }).pipe(Effect.scoped, Effect.runPromise)

const HAS_OPENSSL = Bun.which("openssl") !== null
if (!HAS_OPENSSL) notTested("A replica over TLS: openssl, which makes the certificate, is not installed.")

/** A certificate for `localhost` that is its own authority, and its key. */
const makeCertificate = () => {
  const folder = join(temporaryFolder(), "tls")
  mkdirSync(folder)
  const [certificate, key] = [join(folder, "server.pem"), join(folder, "server.key")]
  const { exitCode, stderr } = Bun.spawnSync([
    "openssl",
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
  ])
  if (exitCode !== 0) throw new Error(stderr.toString())
  return { certificate, key }
}

describe("how a replica reaches Postgres", () => {
  test.skipIf(!HAS_OPENSSL)("a replica follows over TLS with a password that SCRAM checks", async () => {
    const { certificate, key } = makeCertificate()
    await using server = await PostgresServer.start({
      files: { "server.crt": readFileSync(certificate), "server.key": readFileSync(key) },
      settings: { ssl: "on" }
    })
    await prepareInstance(server.url)
    await using database = await connect(server.url, 1)
    await database.query("CREATE ROLE follower LOGIN SUPERUSER PASSWORD 'sécret/ 1'")
    server.replaceFile(
      "pg_hba.conf",
      "hostssl all follower all scram-sha-256\nhost all follower all reject\nhost all all all trust\n"
    )
    await database.query("SELECT pg_reload_conf()")
    await Bun.sleep(200)
    const credentials = `follower:${encodeURIComponent("sécret/ 1")}`
    const url = `postgres://${credentials}@localhost:${server.port}/postgres?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificate)}`
    await expectFollows(url, server.url)
  })

  test.skipIf(!hasPgBouncer())("a replica follows through PgBouncer in transaction mode", async () => {
    await using server = await PostgresServer.start()
    await prepareInstance(server.url)
    await using bouncer = await PgBouncer.start({ serverPort: server.port, poolSize: 3 })
    await expectFollows(bouncer.url("postgres"), server.url)
  })

  test("a replica is rebuilt when its Postgres was restored from a copy, even if that has written more since", async () => {
    const save = (url: string, seed: number, count: number) =>
      Effect.flatMap(openStorage(Redacted.make(url)), (storage) =>
        Effect.forEach(Array.from({ length: count }, traffic(randomFrom(seed), Date.now).next), storage.saveEvent, {
          discard: true
        })
      ).pipe(Effect.scoped, Effect.runPromise)
    const folder = replicaFolder()
    const follow = async (url: string) => {
      await using replica = await startReplica(Redacted.make(url), { folder, keepsFolder: true })
      await replica.sync()
      const content = await contentOfReplica(replica.rows)
      const sql = openClient(Redacted.make(url), 1)
      const expected = Effect.flatMap(sql, (client) => Effect.promise(() => contentOfPostgres(client)))
      expect(content).toEqual(await Effect.runPromise(Effect.scoped(expected)))
    }
    await using server = await PostgresServer.start()
    await prepareInstance(server.url)
    await save(server.url, 29, 50)
    await follow(server.url)
    await server.stop()
    await using restored = server.copy()
    await server.start()
    await save(server.url, 31, 50)
    await follow(server.url)
    await server.stop()
    await restored.start()
    await save(restored.url, 37, 200)
    await follow(restored.url)
  })

  test("a replica answers from what it has while Postgres is gone, and follows again afterward", async () => {
    await using server = await PostgresServer.start()
    await prepareInstance(server.url)
    await using replica = await startReplica(Redacted.make(server.url))
    await replica.sync()
    const status = () => Effect.runSync(replica.replica.status)
    await server.stop()
    await until("it waits", () => status()?.phase === "waiting")
    expect(status()?.isUsable).toBe(true)
    expect(await replica.rows("SELECT count(*) FROM event")).toEqual([[0]])
    await server.start()
    await replica.sync()
    expect(status()).toMatchObject({ phase: "following", isUsable: true, why: null })
  })
})
