import { beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, chownSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Redacted } from "effect"
import { canEnter } from "../../layers/postgres/embedded/account.ts"
import { installedClone } from "../support/clone.ts"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { until } from "../support/eventually.ts"
import { notTested } from "../support/notTested.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
import { Program, run } from "../support/process/Program.ts"

const PREFIX = "/api/ee/product-analytics"
const LISTENS = /(?:listens?|Collecting) on (http:\/\/localhost:\d+)/

let clone: string
let instance: { readonly DATABASE_URL: string; readonly APP_SECRET: string }

beforeAll(async () => {
  clone = await installedClone()
  instance = await prepareInstance(Redacted.value(await freshDatabase()))
}, 180_000)

const send = (url: string, name = "test") =>
  fetch(`${url}/api/send`, {
    method: "POST",
    headers: { "user-agent": FIREFOX },
    body: JSON.stringify({ type: "event", payload: { website: SITE, name } }),
    keepalive: false
  })

const stored = async (name: string): Promise<number> => {
  await using database = await connect(instance.DATABASE_URL)
  const rows = await database.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM product_analytics_event WHERE event_name = $1",
    [name]
  )
  return rows[0]!.n
}

test("full with MODE=collector only collects: no admin routes, no documentation, no printed key", async () => {
  await using collector = await Footfall.start({ entry: "full", environment: { ...instance, MODE: "collector" } })
  expect((await send(collector.url)).status).toBe(200)
  expect(await collector.health()).toBe(200)
  for (const path of [`${PREFIX}/sites`, `${PREFIX}/status`, "/docs", "/openapi.json", "/"]) {
    expect([path, (await fetch(collector.url + path, { redirect: "manual" })).status]).toEqual([path, 404])
  }
  expect(collector.output).not.toContain("ff_")
  expect(collector.output).not.toContain("/setup")
  collector.signal("SIGTERM")
  expect(await collector.ended()).toBe(0)
}, 180_000)

test("full and the collector warn at the start of an instance whose only administrator is gone, with what to run", async () => {
  const environment = await prepareInstance(Redacted.value(await freshDatabase()))
  const warning =
    'This instance has no administrator, and its setup is closed. Create one: `bun run footfall users create --email ada@example.com --name "Ada Lovelace" --admin`.'
  const outputs = async () => {
    const shown: Array<string> = []
    for (const entry of ["full", "collector"] as const) {
      await using started = await Footfall.start({ entry, environment })
      expect(await started.health()).toBe(200)
      shown.push(started.output)
    }
    return shown
  }
  for (const output of await outputs()) expect(output).not.toContain("administrator, and its setup")
  await using database = await connect(environment.DATABASE_URL)
  await database.query("UPDATE product_analytics_setup SET completed_at = now()")
  await database.query("DELETE FROM product_analytics_membership WHERE group_id = 2")
  for (const output of await outputs()) expect(output.replaceAll('\\"', '"')).toContain(warning)
}, 180_000)

test("full says at the start how to add a site only while there is none, or only archived ones", async () => {
  const environment = await prepareInstance(Redacted.value(await freshDatabase()))
  const output = async () => {
    await using full = await Footfall.start({ entry: "full", environment })
    await full.prints("API documentation: ")
    return full.out
  }
  expect(await output()).not.toMatch(/Add a site|sites create/)
  await using database = await connect(environment.DATABASE_URL)
  await database.query("UPDATE product_analytics_site SET archived_at = now()")
  expect(await output()).toMatch(
    /^ {2}Add a site, and paste the snippet it prints into your pages:\n\n {4}.*footfall sites create --name "My site" --domain example\.com\n\n {2}API documentation: /m
  )
}, 180_000)

test("two workers share one port, and each serves the metrics of both", async () => {
  await using collectors = await Footfall.start({ environment: { ...instance, WORKERS: "2" } })
  const metrics = async () => await (await fetch(`${collectors.url}/metrics`)).text()
  await until(
    "both workers",
    async () => ((await metrics()).match(/^footfall_worker_up\{worker="[12]"\} 1$/gm) ?? []).length === 2
  )
  const statuses = await Promise.all(Array.from({ length: 40 }, () => send(collectors.url, "shared")))
  expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([200]))
  expect(await stored("shared")).toBe(40)
  const text = await metrics()
  expect(text.match(/^# TYPE footfall_accepted_total /gm)).toHaveLength(1)
  expect(text).toContain('footfall_worker_up{worker="1"} 1\nfootfall_worker_up{worker="2"} 1\n')
  const counts = [...text.matchAll(/^footfall_accepted_total\{worker="[12]",type="event"\} (\d+)$/gm)]
  expect(counts.map(([, count]) => Number(count)).reduce((sum, count) => sum + count, 0)).toBe(40)
  collectors.signal("SIGTERM")
  expect(await collectors.ended()).toBe(0)
}, 180_000)

test("a signal that `bun run` forwards does not count as a second one, so a request in flight is answered", async () => {
  await using collector = new Program([process.execPath, "run", "collector"], {
    cwd: clone,
    environment: { ...instance, PORT: "0" },
    group: true
  })
  const url = new URL(await collector.prints(LISTENS))
  let answer = ""
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(url.port),
    socket: {
      data: (_, chunk) => {
        answer += chunk.toString()
      }
    }
  })
  const body = JSON.stringify({ type: "event", payload: { website: SITE, name: "late" } })
  socket.write(
    `POST /api/send HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ${FIREFOX}\r\nContent-Length: ${body.length}\r\n\r\n{`
  )
  const health = () =>
    fetch(`${url}api/health`, { keepalive: false }).then(
      ({ status }) => status,
      () => "refused"
    )
  await until("an answer", async () => (await health()) === 200)
  collector.interruptGroup()
  await until("a health check that fails", async () => (await health()) === 503)
  socket.write(body.slice(1))
  expect(await collector.ended()).toBe(0)
  expect(answer).toStartWith("HTTP/1.1 200 OK")
  expect(await stored("late")).toBe(1)
}, 180_000)

describe("the bundle", () => {
  let folder: string

  beforeAll(async () => {
    const built = await run([process.execPath, "run", "build"], { cwd: clone })
    expect(built).toMatchObject({ code: 0 })
    folder = temporaryFolder()
    cpSync(join(clone, "dist"), folder, { recursive: true })
  }, 180_000)

  test("the collector's bundle starts and serves without any other file", async () => {
    await using collector = new Program([process.execPath, "collector.js"], {
      cwd: folder,
      environment: { ...instance, PORT: "0" }
    })
    const url = await collector.prints(LISTENS)
    expect((await send(url, "bundled")).status).toBe(200)
    expect(await stored("bundled")).toBe(1)
    collector.signal("SIGTERM")
    expect(await collector.ended()).toBe(0)
  }, 180_000)

  test("full's bundle contains documentation and migrations, and the CLI's bundle runs", async () => {
    const environment = { DATABASE_URL: Redacted.value(await freshDatabase()), PORT: "0" }
    await using full = new Program([process.execPath, "full.js"], { cwd: folder, environment })
    const url = await full.prints(LISTENS)
    const docs = await fetch(`${url}/docs`)
    expect([docs.status, (await docs.text()).includes("createApiReference")]).toEqual([200, true])
    const sites = await run([process.execPath, "cli.js", "sites", "create", "--name", "Bundled"], {
      cwd: folder,
      environment
    })
    expect(sites).toMatchObject({ code: 0, out: expect.stringContaining("data-website-id=") })
    full.signal("SIGTERM")
    expect(await full.ended()).toBe(0)
  }, 180_000)

  test("a bundle without a database names the missing setting", async () => {
    const alone = await run([process.execPath, "full.js"], { cwd: folder, environment: { PORT: "0" } })
    expect(alone.code).toBe(2)
    expect(alone.output).toMatch(/No embedded Postgres for \S+ is installed .*set DATABASE_URL/)
  }, 180_000)
})

/** A user that owns nothing here. */
const NOBODY = 65_534
const setpriv = Bun.which("setpriv")
const isRoot = process.getuid?.() === 0
if (!isRoot || setpriv === null) {
  notTested("`bun run full` as another user: only root with setpriv can start it.")
}

test.skipIf(!isRoot || setpriv === null)(
  "full runs as a user without privileges, and leaves nothing of anybody else's in its data folder",
  async () => {
    const home = temporaryFolder()
    chmodSync(home, 0o711)
    const data = join(home, "data")
    mkdirSync(data, { mode: 0o700 })
    chownSync(data, NOBODY, NOBODY)
    let bun = process.execPath
    if (!canEnter(join(bun, ".."), { uid: NOBODY, gid: NOBODY })) {
      bun = join(home, "bun")
      copyFileSync(process.execPath, bun)
      chmodSync(bun, 0o755)
    }
    const asNobody = [setpriv!, `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", bun]
    const options = { cwd: clone, environment: { DATA_DIR: data, PORT: "0", HOME: home } }
    await using full = new Program([...asNobody, "src/full.ts"], options)
    const url = await full.prints(LISTENS)
    expect(await full.prints(/^ {4}(http:\/\/localhost:\d+\/setup\?token=[\w-]{43})$/m)).toStartWith("http")
    const doctor = await run([...asNobody, "src/cli.ts", "doctor", "--url", url], options)
    expect(doctor).toMatchObject({ code: 0, out: expect.stringContaining("No problems found.") })
    for (const name of readdirSync(data, { recursive: true }) as Array<string>) {
      expect([name, statSync(join(data, name)).uid]).toEqual([name, NOBODY])
    }
    full.signal("SIGTERM")
    expect(await full.ended()).toBe(0)
    expect(existsSync(join(data, "postgres/postmaster.pid"))).toBe(false)
  },
  30_000
)
