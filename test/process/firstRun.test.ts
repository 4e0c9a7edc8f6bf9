import { expect, test } from "bun:test"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { freePort } from "../../bench/support/server.ts"
import { startEmbeddedPostgres } from "../../layers/postgres/embedded/EmbeddedPostgres.ts"
import { cloneProject } from "../support/clone.ts"
import { until } from "../support/eventually.ts"
import { notTested } from "../support/notTested.ts"
import { connect } from "../support/postgres/database.ts"
import { Program, run } from "../support/process/Program.ts"

const PREFIX = "/api/ee/product-analytics"
const npx = Bun.which("npx")
if (npx === null) notTested("`npx bun run full`: npx is not installed.")

/** The link's token is random. */
const SETUP = /^ {4}(http:\/\/localhost:\d+\/setup\?token=[\w-]{43})$/m

test("a fresh clone stores an event after one command, and stops cleanly on Ctrl-C", async () => {
  const clone = cloneProject()
  const port = String(freePort())
  const environment = { PORT: port }
  const inClone = { cwd: clone, environment }
  const postmaster = join(clone, ".footfall/postgres/postmaster.pid")
  const footfall = (...args: ReadonlyArray<string>) => run([process.execPath, "run", "footfall", ...args], inClone)

  await using full = new Program([process.execPath, "run", "full"], { ...inClone, group: true })
  const url = await full.prints(/listens on (http:\/\/localhost:\d+)$/m, 60_000)
  expect(url).toBe(`http://localhost:${port}`)
  const setup = new URL(await full.prints(SETUP))
  expect(full.out).toContain('bun run footfall sites create --name "My site" --domain example.com')
  expect(full.out).toContain(`${url}/docs`)

  // Only the link leads in, and commands on this machine.
  expect((await fetch(setup)).status).toBe(200)
  expect((await fetch(new URL("/setup", setup))).status).toBe(403)
  const password = "correct horse battery"
  const form = { token: setup.searchParams.get("token")!, name: "Ada", email: "ada@example.com", password }
  const completed = await fetch(`${url}/api/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...form, instance_name: "Acme", timezone: "Europe/Berlin" })
  })
  expect(completed.status).toBe(200)
  const cookie = completed.headers.get("set-cookie")!.split(";", 1)[0]!
  expect((await fetch(`${url}${PREFIX}/sites`, { headers: { cookie } })).status).toBe(200)
  expect((await footfall("users", "list")).out).toMatch(/1 +Ada +ada@example\.com +active +yes +20/)
  expect(statSync(join(clone, ".footfall/local-secret")).mode & 0o777).toBe(0o600)
  const firstKey = JSON.parse((await footfall("keys", "create", "--name", "first", "--json")).out).key as string

  const created = await footfall("sites", "create", "--name", "My site", "--domain", "example.com", "--json")
  expect(created).toMatchObject({ code: 0, output: created.out })
  const site = JSON.parse(created.out) as { readonly id: string; readonly tracking_snippet: string }
  expect(site).toMatchObject({ name: "My site", allowed_domains: ["example.com"] })
  expect(site.tracking_snippet).toContain(`data-website-id="${site.id}" data-host-url="${url}"`)

  const admin = (path: string, key: string) =>
    fetch(`${url}${PREFIX}/${path}`, { headers: { authorization: `Bearer ${key}` } })
  expect(await (await admin("sites", firstKey)).json()).toEqual([expect.objectContaining({ id: site.id })])

  const send = (...args: ReadonlyArray<string>) => footfall("send", "--site", site.id, ...args)
  await until("the new site is known", async () => (await send()).code === 0)
  expect((await send("--name", "signup")).out).toMatch(/^Stored, in the session [0-9a-f-]{36}\.\n$/)
  // Commands on the same machine need no key.
  const status = await footfall("status")
  expect([status.code, status.out.includes("yes: events are stored")]).toEqual([0, true])
  expect(status.out).toMatch(/gate state +open/)
  const doctor = await footfall("doctor", "--key", firstKey)
  expect(doctor.code).toBe(0)
  expect(doctor.out).toContain("No problems found.")
  expect(doctor.out).toContain(`${url} is ready: events are stored`)

  // A setting in the table reaches the running server.
  for (const name of ["rate-limit-events-per-second", "rate-limit-burst"]) {
    expect((await footfall("settings", "set", name, "1")).code).toBe(0)
  }
  const flood = () =>
    Promise.all(
      [1, 2, 3].map(() =>
        fetch(`${url}/api/send`, {
          method: "POST",
          headers: { "user-agent": "Mozilla/5.0 Umami/test" },
          body: JSON.stringify({ type: "event", payload: { website: site.id, name: "flood" } })
        }).then(({ status }) => status)
      )
    )
  await until("the limit is in effect", async () => (await flood()).includes(429))
  for (const name of ["rate-limit-events-per-second", "rate-limit-burst"]) await footfall("settings", "unset", name)
  await until("the limit is gone", async () => !(await flood()).includes(429))

  // Keys take effect and are revoked without a restart.
  const made = JSON.parse((await footfall("keys", "create", "--name", "ci", "--role", "viewer", "--json")).out)
  expect((await admin("status", made.key)).status).toBe(200)
  expect((await admin("sites", made.key)).status).toBe(403)
  expect((await footfall("keys", "list")).out).toMatch(/first +admin +ff_.*\n.* ci +viewer +ff_/)
  expect((await footfall("keys", "revoke", made.id)).code).toBe(0)
  await until("the key is dead", async () => (await admin("status", made.key)).status === 401)

  // Another process on the same folder joins its Postgres, sites and secret.
  const second = { cwd: clone, environment: { PORT: "0" } }
  await using another = new Program([process.execPath, "src/full.ts"], second)
  await using collector = new Program([process.execPath, "src/collector.ts"], second)
  const others = await Promise.all([
    another.prints(/listens on (http:\/\/localhost:\d+)$/m),
    collector.prints(/Collecting on (http:\/\/localhost:\d+)/)
  ])
  expect(another.out).not.toMatch(SETUP)
  for (const other of others) expect(await send("--url", other, "--name", "joined")).toMatchObject({ code: 0 })
  const stored = await Effect.runPromise(
    Effect.gen(function* () {
      const joined = yield* startEmbeddedPostgres(join(clone, ".footfall"))
      return yield* Effect.promise(async () => {
        await using database = await connect(Redacted.value(joined.url))
        return await database.query(
          "SELECT event_name, count(*)::int AS n FROM product_analytics_event WHERE event_name IN ('joined', 'signup') GROUP BY 1 ORDER BY 1"
        )
      })
    }).pipe(Effect.scoped)
  )
  expect(stored).toEqual([
    { event_name: "joined", n: 2 },
    { event_name: "signup", n: 1 }
  ])
  for (const other of [another, collector]) {
    other.signal("SIGTERM")
    expect(await other.ended()).toBe(0)
  }
  expect(existsSync(postmaster)).toBe(true)

  full.interruptGroup()
  expect([await full.ended(), existsSync(postmaster)]).toEqual([0, false])

  const bun = npx === null ? [process.execPath] : [npx, "--yes", "--loglevel=error", `bun@${Bun.version}`]
  await using again = new Program([...bun, "run", "full"], { ...inClone, group: true })
  await again.prints(/listens on (http:\/\/localhost:\d+)$/m, 60_000)
  expect(again.out).not.toMatch(SETUP)
  expect((await admin("sites", firstKey)).status).toBe(200)
  again.interruptGroup()
  await again.ended()
  expect(existsSync(postmaster)).toBe(false)
  // npx and its shell exit on the signal, whatever their child does; the child would report what it left undone.
  expect(again.output).not.toContain("Stopped by a second signal")
}, 300_000)
