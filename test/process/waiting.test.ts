import { expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../../bench/support/server.ts"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { until } from "../support/eventually.ts"
import { prepareInstance } from "../support/postgres/database.ts"
import { temporaryFolder } from "../support/postgres/postgres.ts"
import { PostgresServer } from "../support/postgres/postgresServer.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

const get = async (port: number, path: string): Promise<{ readonly status: number; readonly body: string }> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { keepalive: false })
  return { status: response.status, body: await response.text() }
}

const send = async (port: number): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/api/send`, {
    method: "POST",
    headers: { "user-agent": FIREFOX },
    body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/" } }),
    keepalive: false
  })

/** The process answers with the status on this path. */
const answers = (port: number, path: string, status: number, process: Footfall): Promise<void> =>
  until(
    () => `${path} answers ${status}: ${process.output}`,
    async () => (await get(port, path).catch(() => null))?.status === status,
    30_000
  )

test("a collector whose database is unreachable waits for it: alive, not healthy, one line in the log, and no restart", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const instance = await prepareInstance(postgres.url)
  await postgres.stop()
  const port = freePort()
  const collector = all.use(Footfall.spawn({ environment: { ...instance, PORT: String(port) } }))

  await answers(port, "/livez", 200, collector)
  await collector.prints("Waiting to start")
  const health = await get(port, "/api/health")
  expect(health.status).toBe(503)
  expect(JSON.parse(health.body)).toEqual({
    status: "unavailable",
    reason: expect.stringMatching(/^Can't connect to the Postgres of DATABASE_URL at 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
  })
  const refused = await send(port)
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"])
  // At least one more attempt, which is not logged.
  await Bun.sleep(2_500)
  expect(collector.output.match(/Waiting to start/g)).toHaveLength(1)

  await postgres.start()
  await answers(port, "/api/health", 200, collector)
  expect((await send(port)).status).toBe(200)
  expect(collector.output).toContain(`The app database is postgres at 127.0.0.1:${postgres.port}.`)
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
}, 180_000)

test("a waiting process ends with 0 on SIGTERM", async () => {
  const port = freePort()
  const url = `postgres://footfall@127.0.0.1:${freePort()}/footfall`
  await using collector = Footfall.spawn({ environment: { DATABASE_URL: url, PORT: String(port) } })
  await collector.prints("Waiting to start")
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
}, 180_000)

test("waiting workers answer probes on their common port, and all of them start once the database is back", async () => {
  await using all = new AsyncDisposableStack()
  const postgres = all.use(await PostgresServer.start())
  const instance = await prepareInstance(postgres.url)
  await postgres.stop()
  const port = freePort()
  const environment = { ...instance, PORT: String(port), WORKERS: "2" }
  const collectors = all.use(Footfall.spawn({ environment }))
  await answers(port, "/livez", 200, collectors)
  await answers(port, "/api/health", 503, collectors)
  await postgres.start()
  await collectors.prints("2 workers listen")
  expect((await get(port, "/api/health")).status).toBe(200)
  collectors.signal("SIGTERM")
  expect(await collectors.ended()).toBe(0)
}, 180_000)

test("a collector without DATABASE_URL starts no database: it waits for that of `full` in the same DATA_DIR and uses it", async () => {
  await using all = new AsyncDisposableStack()
  const folder = temporaryFolder()
  const port = freePort()
  const collector = all.use(Footfall.spawn({ environment: { DATA_DIR: folder, PORT: String(port) } }))
  await collector.prints(`Waiting to start: No Postgres runs in DATA_DIR (${folder}). Start \`bun run full\``)
  expect((await get(port, "/api/health")).status).toBe(503)
  expect(existsSync(join(folder, "postgres"))).toBe(false)

  const full = all.use(await Footfall.start({ entry: "full", environment: { DATA_DIR: folder } }))
  expect(full.output).toContain(`The app database is the embedded Postgres in ${folder}\n`)
  await answers(port, "/api/health", 200, collector)
  expect(collector.output).toContain(`The app database is the embedded Postgres in ${folder}.`)
  full.signal("SIGTERM")
  expect(await full.ended()).toBe(0)
  // The collector still uses it.
  expect((await get(port, "/api/health")).status).toBe(200)
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
}, 300_000)

test.each<[what: string, environment: Readonly<Record<string, string>>, output: string]>([
  [
    "an empty DATABASE_URL",
    { DATABASE_URL: "" },
    "DATABASE_URL is set but empty; it accepts a postgres:// URL. Unset it to use the default (none).\n"
  ],
  [
    "an empty PORT",
    { PORT: "" },
    "PORT is set but empty; it accepts a whole number from 0 to 65535. Unset it to use the default (3000).\n"
  ],
  ["an empty TZ", { TZ: "" }, "TZ is set but empty. Set a name such as `Europe/Berlin` or `UTC`, or unset it.\n"],
  [
    "a HOST that is not an address",
    { HOST: "nope", PORT: "0", DATABASE_URL: "postgres://ann@127.0.0.1:1/shop" },
    'HOST is "nope", which is not an address of this machine. Set it to 0.0.0.0 for all addresses, to 127.0.0.1 for programs on this machine, or to one of its addresses.\n'
  ],
  [
    "a HOST that is not an address and several workers",
    { HOST: "nope", PORT: "0", WORKERS: "2" },
    'HOST is "nope", which is not an address of this machine. Set it to 0.0.0.0 for all addresses, to 127.0.0.1 for programs on this machine, or to one of its addresses.\n'
  ],
  [
    "a switch that is neither on nor off",
    { DISABLE_BOT_CHECK: "perhaps", TIMESTAMP_EARLIEST: "2001-02-30", DATABASE_URL: "postgres://ann@127.0.0.1:1/shop" },
    'TIMESTAMP_EARLIEST is "2001-02-30"; it accepts a day such as `2000-01-01`.\nDISABLE_BOT_CHECK is "perhaps"; it accepts `on` or `off` (or `true`, `1`, `yes`, `false`, `0`, `no`).\n'
  ],
  [
    "a raw # in the password of DATABASE_URL",
    { DATABASE_URL: "postgres://ann:se#cret@db.example/shop" },
    'DATABASE_URL can\'t be used: a "#" that belongs to the user or the password must be written as %23.\n'
  ],
  [
    "an invalid setting and no database",
    { DATA_DIR: `${tmpdir()}/footfall-no-postgres`, SALT_ROTATION: "never", STORAGE_TIMEOUT_SECONDS: "0" },
    'STORAGE_TIMEOUT_SECONDS is "0"; it accepts a whole number of seconds from 1 to 120.\nSALT_ROTATION is "never"; it accepts `day`, `week` or `month`.\n'
  ]
])(
  "with %s, a collector refuses to start with 2",
  async (_, environment, output) => {
    await using collector = Footfall.spawn({ environment })
    expect(await collector.ended()).toBe(2)
    expect(collector.output).toBe(output)
  },
  180_000
)

test.each<[what: string, environment: Readonly<Record<string, string>>, output: string]>([
  [
    "an unknown WAREHOUSE",
    { WAREHOUSE: "nonsense" },
    'WAREHOUSE is "nonsense"; it accepts `replica`, `postgres`, `duckdb`, `trino` or `none`.\n'
  ],
  [
    "a WAREHOUSE that cannot query the storage",
    { WAREHOUSE: "replica", STORAGE_BACKEND: "iceberg" },
    "WAREHOUSE=replica cannot query what STORAGE_BACKEND=iceberg stores. Set WAREHOUSE to duckdb, trino or none, or change STORAGE_BACKEND.\n"
  ]
])(
  "with %s, full refuses to start before it starts a database",
  async (_, environment, output) => {
    const folder = temporaryFolder()
    await using full = Footfall.spawn({ entry: "full", environment: { ...environment, DATA_DIR: folder } })
    expect(await full.ended()).toBe(2)
    expect([full.output, existsSync(join(folder, "postgres"))]).toEqual([output, false])
  },
  180_000
)

test("with a database that does not exist, a collector refuses to start with 2", async () => {
  await using postgres = await PostgresServer.start()
  const url = postgres.url.replace(/postgres$/, "nowhere")
  await using collector = Footfall.spawn({ environment: { DATABASE_URL: url } })
  expect(await collector.ended()).toBe(2)
  expect(collector.output).toContain('database "nowhere" does not exist (3D000)')
}, 180_000)
