import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Redacted, Scope } from "effect"
import { startEmbeddedPostgres } from "../../layers/postgres/embedded/EmbeddedPostgres.ts"
import { SITE } from "../support/collect/collect.ts"
import { Load } from "../support/collect/load.ts"
import { until } from "../support/eventually.ts"
import { lakeSettings } from "../support/lake/LakeUnderTest.ts"
import { notTested } from "../support/notTested.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { Program, run } from "../support/process/Program.ts"

setDefaultTimeout(480_000)

const ROOT = join(import.meta.dir, "../..")
const folder = mkdtempSync(join(tmpdir(), "footfall-backup-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(folder, String(++folders))

type Environment = Readonly<Record<string, string>>

const footfall = (args: ReadonlyArray<string>, environment: Environment) =>
  run([process.execPath, join(ROOT, "src/cli.ts"), ...args], { cwd: ROOT, environment })

const succeed = async (args: ReadonlyArray<string>, environment: Environment) => {
  const { code, out, output } = await footfall(args, environment)
  if (code !== 0) throw new Error(`footfall ${args.join(" ")} ended with ${code}: ${output}`)
  return out
}

/** Runs the body with connections to the embedded Postgres of a data folder, which runs meanwhile. */
const withEmbedded = async <A>(
  dataDir: string,
  body: (database: Awaited<ReturnType<typeof connect>>, url: string) => Promise<A>
) => {
  const scope = Scope.makeUnsafe()
  const { url } = await Effect.runPromise(Scope.provide(startEmbeddedPostgres(dataDir), scope))
  try {
    await using database = await connect(Redacted.value(url))
    return await body(database, Redacted.value(url))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const eventNames = async (database: Awaited<ReturnType<typeof connect>>) =>
  (await database.query<{ name: string }>("SELECT event_name AS name FROM product_analytics_event")).map(
    ({ name }) => name
  )

/** A data folder with the test's site. */
const newInstance = async (): Promise<string> => {
  const dataDir = newFolder()
  await withEmbedded(dataDir, (_, url) => prepareInstance(url))
  return dataDir
}

const missing = (expected: ReadonlyArray<string>, found: ReadonlyArray<string>) => {
  const all = new Set(found)
  return expected.filter((name) => !all.has(name))
}

describe("a backup of an embedded Postgres", () => {
  test("a backup taken under load has every event that was acknowledged before it began, and starts on its own", async () => {
    await using all = new AsyncDisposableStack()
    const environment = { DATA_DIR: await newInstance(), APP_SECRET: "the secret of the test", LOG_LEVEL: "warn" }
    const full = all.use(await Footfall.start({ entry: "full", environment }))
    const load = all.use(new Load({ port: full.port, connections: 4 }))
    await load.stores(300)
    const before = [...load.stored]
    const backup = newFolder()
    expect(await succeed(["backup", backup], environment)).toMatch(
      /^\/.* has the database \(\d.* MB\) and \d settings of this environment, with secrets: keep it private\.\n$/
    )
    const during = load.stored.size - before.length
    await load.stop()
    full.signal("SIGTERM")
    expect(await full.ended()).toBe(0)
    expect(during).toBeGreaterThan(0)

    expect(statSync(backup).mode & 0o777).toBe(0o700)
    expect(statSync(join(backup, "settings.env")).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(backup, "settings.env"), "utf8")).toContain("APP_SECRET='the secret of the test'\n")
    expect(readdirSync(join(folder)).filter((name) => name.includes(".unfinished"))).toEqual([])

    const restored = { ...environment, DATA_DIR: newFolder() }
    expect(await succeed(["restore", backup], restored)).toStartWith("Restored the backup of 20")
    expect(JSON.parse(await succeed(["sites", "list", "--json"], restored))).toMatchObject([{ id: SITE }])
    const found = await withEmbedded(restored.DATA_DIR, eventNames)
    expect(missing(before, found)).toEqual([])
    expect(new Set(found).size).toBe(found.length)
    // It goes on from there.
    const again = all.use(await Footfall.start({ entry: "full", environment: restored }))
    const more = all.use(new Load({ port: again.port, connections: 2 }))
    await more.stores(20)
  })

  test("a restore refuses to touch existing data unless it may move it aside, and a running server in any case", async () => {
    const environment = { DATA_DIR: await newInstance() }
    const backup = newFolder()
    // The command starts the server itself.
    await succeed(["backup", backup], environment)
    expect(await footfall(["backup", backup], environment)).toMatchObject({
      code: 1,
      output: `${backup} exists already. Name a new folder for each backup.\n`
    })

    const refused = await footfall(["restore", backup], environment)
    expect(refused.code).toBe(1)
    expect(refused.output).toContain("already has a database. Set DATA_DIR to a new folder, or pass --replace")
    await withEmbedded(environment.DATA_DIR, async () => {
      const running = await footfall(["restore", backup, "--replace"], environment)
      expect(running.code).toBe(1)
      expect(running.output).toContain("is running. Stop every process that uses it, then restore.")
    })
    expect(await succeed(["restore", backup, "--replace"], environment)).toMatch(
      /The existing data is now at \/.*\/postgres\.before-restore-/
    )
    expect(JSON.parse(await succeed(["sites", "list", "--json"], environment))).toMatchObject([{ id: SITE }])
  })

  test("what is not a complete backup is refused, and so is a backup of the other kind", async () => {
    const incomplete = newFolder()
    mkdirSync(incomplete)
    expect((await footfall(["restore", incomplete], { DATA_DIR: newFolder() })).output).toBe(
      `${incomplete} is not a complete backup: it has no readable backup.json.\n`
    )
    const manifest = { format: 1, version: "1", created_at: "", database: "external", spools: 0, settings: 0 }
    writeFileSync(join(incomplete, "database.dump"), "")
    writeFileSync(join(incomplete, "backup.json"), JSON.stringify(manifest))
    expect((await footfall(["restore", incomplete], { DATA_DIR: newFolder() })).output).toBe(
      "The backup is of an external Postgres. Set DATABASE_URL to an empty database to restore it into.\n"
    )
  })

  test("a backup with missing parts or of another version replaces nothing", async () => {
    const environment = { DATA_DIR: await newInstance() }
    const backup = newFolder()
    await succeed(["backup", backup], environment)
    const refuses = async (change: (copy: string) => void, message: (copy: string) => string) => {
      const copy = newFolder()
      cpSync(backup, copy, { recursive: true })
      change(copy)
      const { code, output } = await footfall(["restore", copy, "--replace"], environment)
      expect([code, output]).toEqual([1, message(copy)])
    }
    await refuses(
      (copy) => rmSync(join(copy, "password")),
      (copy) => `${copy} is not a complete backup: ${copy}/password is missing.\n`
    )
    await refuses(
      (copy) => rmSync(join(copy, "postgres"), { recursive: true }),
      (copy) => `${copy} is not a complete backup: ${copy}/postgres/PG_VERSION is missing.\n`
    )
    await refuses(
      (copy) => writeFileSync(join(copy, "postgres", "PG_VERSION"), "12\n"),
      () =>
        "The backup is of a Postgres 12; this build bundles Postgres 18. Restore it with the Footfall that made it, then move the data with pg_dump and pg_restore.\n"
    )
    await refuses(
      (copy) => writeFileSync(join(copy, "backup.json"), JSON.stringify({ format: 2, version: "7.0.0", parts: [] })),
      (copy) =>
        `${copy} was written by Footfall 7.0.0 in format 2; this is 0.1.0, which reads format 1. Restore it with that version.\n`
    )
    expect(readdirSync(environment.DATA_DIR).filter((name) => /unfinished|before-restore/.test(name))).toEqual([])
    expect(JSON.parse(await succeed(["sites", "list", "--json"], environment))).toMatchObject([{ id: SITE }])
  })

  test("a backup is refused where it cannot be written, and where it would contain itself through a link", async () => {
    const environment = { DATA_DIR: await newInstance() }
    const file = newFolder()
    writeFileSync(file, "")
    expect(await footfall(["backup", join(file, "backup")], environment)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^\S+\/backup: E\w+: .*\n$/)
    })
    const link = newFolder()
    symlinkSync(join(environment.DATA_DIR, "postgres"), link)
    expect(await footfall(["backup", join(link, "backup")], environment)).toMatchObject({
      code: 1,
      output: `${link}/backup is inside of ${environment.DATA_DIR}/postgres, which the backup copies. Name a folder elsewhere.\n`
    })
    expect((await footfall(["backup", ""], environment)).output).toBe(
      "The folder's name is empty. Name a new folder.\n"
    )
  })

  test("of two backups with the same name, one is complete and the other is refused; a killed one leaves nothing behind", async () => {
    const environment = { DATA_DIR: await newInstance() }
    const backup = newFolder()
    await withEmbedded(environment.DATA_DIR, async () => {
      for (;;) {
        const killed = new Program([process.execPath, join(ROOT, "src/cli.ts"), "backup", backup], { environment })
        await until(
          () => `starting to copy: ${killed.output}`,
          () => readdirSync(folder).some((name) => name.includes(".unfinished"))
        )
        killed.signal("SIGKILL")
        await killed.ended()
        if (!existsSync(backup)) break
        // It was done before the signal arrived.
        rmSync(backup, { recursive: true })
      }
      const both = await Promise.all([
        footfall(["backup", backup], environment),
        footfall(["backup", backup], environment)
      ])
      expect(both.map(({ code }) => code).sort()).toEqual([0, 1])
      expect(both.find(({ code }) => code === 1)?.output).toBe(
        `${backup} exists already. Name a new folder for each backup.\n`
      )
    })
    expect(readdirSync(folder).filter((name) => name.includes(".unfinished"))).toEqual([])
    expect(readdirSync(backup).sort()).toEqual(["backup.json", "password", "postgres", "settings.env"])
    const restored = { DATA_DIR: newFolder() }
    await succeed(["restore", backup], restored)
    expect(JSON.parse(await succeed(["sites", "list", "--json"], restored))).toMatchObject([{ id: SITE }])
  })

  test("events that are only in the spool are in the backup, and reach the lake once after a restore", async () => {
    await using all = new AsyncDisposableStack()
    const lake = newFolder()
    const settings = {
      STORAGE_BACKEND: "iceberg",
      ...lakeSettings({ WAREHOUSE: `file://${lake}`, FLUSH_INTERVAL_SECONDS: "3600" })
    }
    const environment = { ...settings, DATA_DIR: await newInstance() }
    const full = all.use(await Footfall.start({ entry: "full", environment }))
    const load = all.use(new Load({ port: full.port, connections: 2 }))
    await load.stores(50)
    await load.stop()
    const backup = newFolder()
    expect(JSON.parse(await succeed(["backup", backup, "--json"], environment))).toMatchObject({
      database: "embedded",
      spools: 1
    })
    const restored = { ...environment, DATA_DIR: newFolder() }
    const inUse = { ...restored, SPOOL_DIR: join(environment.DATA_DIR, "spool") }
    expect((await footfall(["restore", backup, "--replace"], inUse)).output).toContain(
      "A collector is running with the spools in "
    )
    const inside = join(environment.DATA_DIR, "spool", "backup")
    expect((await footfall(["backup", inside], environment)).output).toBe(
      `${inside} is inside of ${join(environment.DATA_DIR, "spool")}, which the backup copies. Name a folder elsewhere.\n`
    )
    await full.kill()
    await succeed(["restore", backup], restored)
    const again = all.use(await Footfall.start({ entry: "full", environment: restored }))
    await succeed(["lake", "flush"], restored)
    const [events] = JSON.parse(await succeed(["lake", "verify", "--json", "--table", "pa_events"], restored))
    expect(events).toMatchObject({ rows: load.stored.size, problems: [] })
    again.signal("SIGTERM")
    expect(await again.ended()).toBe(0)
  })
})

test("a restore loses nothing that reached the lake after the backup", async () => {
  await using all = new AsyncDisposableStack()
  const settings = {
    STORAGE_BACKEND: "iceberg",
    ...lakeSettings({ WAREHOUSE: `file://${newFolder()}`, FLUSH_INTERVAL_SECONDS: "3600" })
  }
  const environment = { ...settings, DATA_DIR: await newInstance() }
  const full = all.use(await Footfall.start({ entry: "full", environment }))
  const stored: Array<Load> = []
  const store = async (port: number) => {
    const load = all.use(new Load({ port, connections: 1 }))
    await load.stores(20)
    await load.stop()
    stored.push(load)
    await succeed(["lake", "flush"], environment)
  }
  const rows = () => stored.reduce((sum, load) => sum + load.stored.size, 0)
  await store(full.port)
  const backup = newFolder()
  await succeed(["backup", backup], environment)
  await store(full.port)
  // The embedded Postgres goes on running, as after a crash of the machine's last process.
  await full.kill()

  expect(await succeed(["restore", backup, "--replace"], environment)).toContain(
    "The lake was written to after the backup: the catalog names the newest metadata of pa_events"
  )
  const again = all.use(await Footfall.start({ entry: "full", environment }))
  await store(again.port)
  const [events] = JSON.parse(await succeed(["lake", "verify", "--json", "--table", "pa_events"], environment))
  expect(events).toMatchObject({ rows: rows(), problems: [] })
})

/** A folder with Postgres's programs from the distribution, with pg_dump. The embedded Postgres has none. */
const installed = existsSync("/usr/lib/postgresql")
  ? readdirSync("/usr/lib/postgresql")
      .map((version) => `/usr/lib/postgresql/${version}/bin`)
      .find((bin) => ["initdb", "postgres", "pg_dump", "pg_restore"].every((name) => existsSync(join(bin, name))))
  : undefined
if (installed === undefined) notTested("Backups of an external Postgres: no Postgres of the distribution is installed.")

describe("a backup of an external Postgres", () => {
  test.skipIf(installed === undefined)(
    "a dump is restored into another empty database, and never into one with tables",
    async () => {
      await using all = new AsyncDisposableStack()
      const server = all.use(await PostgresServer.start({ binaries: installed! }))
      const admin = all.use(await connect(server.url, 1))
      for (const name of ["first", "second"]) await admin.query(`CREATE DATABASE ${name}`)
      const urlOf = (name: string) => server.url.replace(/postgres$/, name)
      const backup = newFolder()
      const nothing = await footfall(["backup", backup], { DATABASE_URL: urlOf("first") })
      expect(nothing.output).toContain("has no tables of Footfall, so there is nothing to back up")
      expect(existsSync(backup)).toBe(false)

      const environment = { ...(await prepareInstance(urlOf("first"))), DATA_DIR: newFolder() }
      const collector = all.use(await Footfall.start({ environment }))
      const load = all.use(new Load({ port: collector.port, connections: 2 }))
      await load.stores(50)
      await load.stop()
      expect(JSON.parse(await succeed(["backup", backup, "--json"], environment))).toMatchObject({
        database: "external"
      })

      expect((await footfall(["restore", backup], environment)).output).toContain(
        "already has tables of Footfall. Restore into an empty database"
      )
      const restored = { ...environment, DATABASE_URL: urlOf("second") }
      await succeed(["restore", backup], restored)
      await using second = await connect(urlOf("second"))
      expect((await eventNames(second)).sort()).toEqual([...load.stored].sort())
      const again = all.use(await Footfall.start({ environment: restored }))
      const more = all.use(new Load({ port: again.port, connections: 2 }))
      await more.stores(20)
    }
  )

  test("without a pg_dump of the server's version or newer, the error names the package to install", async () => {
    await using server = await PostgresServer.start()
    await prepareInstance(server.url)
    const { code, output } = await footfall(["backup", newFolder()], { DATABASE_URL: server.url })
    // A machine with a pg_dump that is new enough takes the backup.
    if (code === 0) return
    expect(output).toMatch(
      /^A Postgres 18 needs pg_dump of version 18 or newer; (?:none is installed|installed: [\d, ]+)\. Install the package postgresql-client-18, or add the folder of pg_dump to PATH\.\n$/
    )
  })
})
