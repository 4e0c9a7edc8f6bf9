import { spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PgTypes } from "@effect/sql-pg"
import { Effect, Layer, Redacted, References, Result, Scope } from "effect"
import { DatabaseUrl } from "../../../layers/postgres/client/Database.ts"
import { type DatabaseClient, makeClient } from "../../../layers/postgres/client/makeClient.ts"
import { migrate } from "../../../layers/postgres/client/migrate.ts"
import { parseDatabaseUrl } from "../../../layers/postgres/client/url/DatabaseTarget.ts"
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../layers/postgres/embedded/EmbeddedPostgres.ts"

/** Stops the servers in the folder and deletes it when this process has exited, since `bun test` has no hook that always runs. */
const cleanUpAfterUs = (folder: string): void => {
  const script = `while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
for pid in "$2"/*/postgres/postmaster.pid; do kill -INT "$(head -n 1 "$pid")" 2>/dev/null; done
for i in 1 2 3 4 5 6 7 8 9 10; do ls "$2"/*/postgres/postmaster.pid >/dev/null 2>&1 || break; sleep 0.2; done
rm -rf "$2"`
  spawn("/bin/sh", ["-c", script, "sh", String(process.pid), folder], { detached: true, stdio: "ignore" }).unref()
}

/** Holds all temporary folders of this process, which share the one that waits to clean them up. */
let parent: string | undefined
let folders = 0

export const temporaryFolder = (): string => {
  if (parent === undefined) {
    parent = mkdtempSync(join(tmpdir(), "footfall-test-"))
    // A server that is started by another user must reach its folder.
    chmodSync(parent, 0o711)
    cleanUpAfterUs(parent)
  }
  const folder = join(parent, String(++folders))
  mkdirSync(folder, { mode: 0o700 })
  return folder
}

/** A client for a test's own statements. */
export const openClient = (
  url: Redacted.Redacted<string>,
  maxConnections = 2
): Effect.Effect<DatabaseClient, never, Scope.Scope> =>
  Effect.gen(function* () {
    const target = Result.getOrThrow(parseDatabaseUrl(Redacted.value(url)))
    return yield* makeClient(
      { target, attempts: () => [false] },
      {
        applicationName: "footfall-test",
        session: {},
        types: PgTypes.makeRegistry(),
        minConnections: 0,
        maxConnections
      }
    )
  })

const databaseOf = (server: Redacted.Redacted<string>, name: string): Redacted.Redacted<string> => {
  const url = new URL(Redacted.value(server))
  url.pathname = `/${name}`
  return Redacted.make(url.href)
}

interface TestServer extends EmbeddedPostgres {
  readonly admin: DatabaseClient
}

const start = Effect.gen(function* () {
  const scope = Scope.makeUnsafe()
  const embedded = yield* startEmbeddedPostgres(temporaryFolder()).pipe(Scope.provide(scope))
  const admin = yield* openClient(databaseOf(embedded.url, "postgres"), 1).pipe(Scope.provide(scope))
  yield* admin.unsafe("CREATE DATABASE migrated")
  yield* Effect.scoped(Effect.flatMap(openClient(databaseOf(embedded.url, "migrated"), 1), (sql) => migrate(sql))).pipe(
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  return { ...embedded, admin } satisfies TestServer
})

let server: Promise<TestServer> | undefined
let databases = 0

/** The server that this test run shares, started at its first use. Tests that kill or stop a server start their own. */
export const testServer = (): Promise<TestServer> => {
  server ??= Effect.runPromise(start)
  return server
}

const createDatabase = async (template: string): Promise<Redacted.Redacted<string>> => {
  const { admin, url } = await testServer()
  const name = `test_${++databases}`
  await Effect.runPromise(admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${template}`))
  return databaseOf(url, name)
}

/** A new, migrated database. */
export const freshDatabase = (): Promise<Redacted.Redacted<string>> => createDatabase("migrated")

/** A new database without tables. */
export const emptyDatabase = (): Promise<Redacted.Redacted<string>> => createDatabase("template1")

/** A new, migrated database for a test's layers. */
export const layerFreshDatabase: Layer.Layer<DatabaseUrl> = Layer.effect(
  DatabaseUrl,
  Effect.map(Effect.promise(freshDatabase), (url) => ({ url, embedded: true }))
)
