import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect } from "effect"
import { SiteId } from "../../../../src/domain/ids.ts"
import { Sites } from "../../../../src/ports/Sites.ts"
import { allowing, eventually } from "../../../support/eventually.ts"
import { run, startProcess } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const ID = SiteId.make("3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f")
const UNKNOWN = SiteId.make("00000000-0000-4000-8000-000000000000")

const sitesOf = (url: Awaited<ReturnType<typeof freshDatabase>>) => Effect.map(startProcess(url), Context.get(Sites))

test("a site is created with the given values, and with defaults for the rest", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const sites = yield* sitesOf(url)
      const full = yield* sites.create({
        id: ID.toUpperCase(),
        name: "Shop",
        domains: ["https://Shop.example", "*.shop.example"],
        rateLimit: { eventsPerSecond: 0.5, burst: 3 },
        timezone: "Europe/Berlin",
        weekStart: "sunday",
        definitions: "umami",
        currency: "eur"
      })
      expect(full).toMatchObject({
        id: ID,
        name: "Shop",
        domains: ["shop.example", "*.shop.example"],
        archived: false,
        rateLimit: { eventsPerSecond: 0.5, burst: 3 },
        timezone: "Europe/Berlin",
        weekStart: "sunday",
        definitions: "umami",
        currency: "EUR"
      })
      expect(Math.abs(full.createdAt.getTime() - Date.now())).toBeLessThan(60_000)
      const bare = yield* sites.create({ name: "Blog" })
      expect(bare).toMatchObject({
        domains: [],
        rateLimit: null,
        timezone: "UTC",
        weekStart: "monday",
        definitions: "strict",
        currency: "USD"
      })
      expect(yield* sites.get(bare.id)).toEqual(bare)
      expect(yield* sites.update(full.id, { name: "Store" })).toMatchObject({ definitions: "umami" })
      expect(yield* sites.update(full.id, { definitions: "strict" })).toMatchObject({ definitions: "strict" })
    })
  )
})

test("a process applies its own creation, change, archiving and restoring of a site at once", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const sites = yield* sitesOf(url)
      yield* sites.create({ id: ID, name: "Shop", domains: ["shop.example"] })
      expect(sites.find(ID)?.id).toBe(ID)
      expect(sites.find(ID.toUpperCase())?.id).toBe(ID)
      expect(sites.find(ID)?.allowsOrigin("https://www.shop.example")).toBe(true)
      expect([sites.allowsOrigin("https://shop.example"), sites.allowsOrigin("https://other.example")]).toEqual([
        true,
        false
      ])

      const limited = yield* sites.update(ID, { rateLimit: { eventsPerSecond: 5, burst: 10 } })
      expect([limited.name, limited.domains]).toEqual(["Shop", ["shop.example"]])
      expect(sites.find(ID)?.rateLimit).toEqual({ eventsPerSecond: 5, burst: 10 })
      expect((yield* sites.update(ID, { name: "Store" })).rateLimit).toEqual({ eventsPerSecond: 5, burst: 10 })
      expect((yield* sites.update(ID, { rateLimit: null, domains: [] })).rateLimit).toBeNull()
      expect(sites.find(ID)?.allowsEveryOrigin).toBe(true)
      expect(sites.allowsOrigin("https://other.example")).toBe(true)

      expect((yield* sites.archive(ID)).archived).toBe(true)
      expect((yield* sites.archive(ID)).archived).toBe(true)
      expect(sites.find(ID)).toBeUndefined()
      expect(yield* sites.list({ archived: false })).toEqual([])
      expect((yield* sites.list({ archived: true })).map(({ name }) => name)).toEqual(["Store"])
      expect((yield* sites.update(ID, { archived: false })).archived).toBe(false)
      expect(sites.find(ID)?.id).toBe(ID)
    })
  )
})

test("sites are listed by name, ignoring case", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const sites = yield* sitesOf(url)
      for (const name of ["beta", "Alpha", "gamma", "Beta"]) yield* sites.create({ name })
      expect((yield* sites.list({ archived: false })).map(({ name }) => name)).toEqual([
        "Alpha",
        "Beta",
        "beta",
        "gamma"
      ])
      const page = (after: SiteId | null) => sites.list({ archived: false, limit: 2, ...(after !== null && { after }) })
      const first = yield* page(null)
      const second = yield* page(first[1]!.id)
      expect([...first, ...second].map(({ name }) => name)).toEqual(["Alpha", "Beta", "beta", "gamma"])
      expect(yield* page(second[1]!.id)).toEqual([])
      expect(yield* page(SiteId.make("3f1c2d4e-0000-4c7d-8e9f-0a1b2c3d4e5f"))).toEqual([])
    })
  )
})

describe("a request for a site that cannot be carried out", () => {
  test.each<[string, (sites: Sites["Service"]) => Effect.Effect<unknown, { readonly reason: string }>, string]>([
    ["creating a site with an existing id", (sites) => sites.create({ id: ID, name: "again" }), "Conflict"],
    [
      "creating a site with the id of an archived one",
      (sites) => Effect.andThen(sites.archive(ID), sites.create({ id: ID, name: "again" })),
      "Conflict"
    ],
    [
      "creating a site with an invalid domain",
      (sites) => sites.create({ name: "x", domains: ["https://a.example/page"] }),
      "Invalid"
    ],
    ["changing the name to blanks", (sites) => sites.update(ID, { name: " " }), "Invalid"],
    ["reading an unknown site", (sites) => sites.get(UNKNOWN), "NotFound"],
    ["changing an unknown site", (sites) => sites.update(UNKNOWN, { name: "x" }), "NotFound"],
    ["archiving an unknown site", (sites) => sites.archive(UNKNOWN), "NotFound"]
  ])("%s fails with a reason", async (_, request, reason) => {
    const url = await freshDatabase()
    const error = await run(
      Effect.gen(function* () {
        const sites = yield* sitesOf(url)
        yield* sites.create({ id: ID, name: "Shop" })
        return yield* Effect.flip(request(sites))
      })
    )
    expect(error.reason).toBe(reason)
  })
})

test("a change reaches another process by notification, well before it polls", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const mine = yield* sitesOf(url)
      const theirs = yield* sitesOf(url)
      // A process starts to listen shortly after its start.
      yield* mine.create({ name: "first" })
      yield* eventually("the first change", () => theirs.allowsOrigin("https://a.example"))
      const begin = performance.now()
      yield* mine.create({ id: ID, name: "Shop" })
      yield* eventually("the new site is known", () => theirs.find(ID) !== undefined)
      expect(performance.now() - begin).toBeLessThan(allowing(1_500))
      yield* mine.archive(ID)
      yield* eventually("the archived site is gone", () => theirs.find(ID) === undefined)
    })
  )
})

test("without notifications, a change reaches another process by polling within 5 s", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const sql = yield* openClient(url)
      yield* sql.unsafe("ALTER TABLE product_analytics_site DISABLE TRIGGER product_analytics_site_changed")
      const mine = yield* sitesOf(url)
      const theirs = yield* sitesOf(url)
      // After the first poll, which reads everything.
      yield* Effect.sleep("4 seconds")
      for (const change of [mine.create({ id: ID, name: "Shop" }), mine.archive(ID)]) {
        const before = theirs.find(ID)
        const begin = performance.now()
        yield* change
        yield* eventually("the change is known", () => (theirs.find(ID) === undefined) !== (before === undefined))
        expect(performance.now() - begin).toBeLessThan(allowing(5_000))
      }
    })
  )
}, 180_000)

test("a listener whose connection is terminated listens again", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const sql = yield* openClient(url)
      const mine = yield* sitesOf(url)
      const theirs = yield* sitesOf(url)
      const LISTENERS = `SELECT pid FROM pg_stat_activity
        WHERE application_name = 'footfall-changes' AND datname = current_database() AND query LIKE 'LISTEN%'`
      const listeners = () =>
        Effect.runPromise(sql.unsafe<{ pid: number }>(LISTENERS)).then((rows) => rows.map(({ pid }) => pid))
      yield* eventually("both processes listen", async () => (await listeners()).length === 2)
      const terminated = yield* Effect.promise(listeners)
      yield* sql.unsafe(`SELECT pg_terminate_backend(pid) FROM (${LISTENERS}) AS listener`)
      yield* eventually("both processes listen again", async () => {
        const pids = await listeners()
        return pids.length === 2 && !pids.some((pid) => terminated.includes(pid))
      })
      yield* mine.create({ id: ID, name: "Shop" })
      yield* eventually("the new site is known", () => theirs.find(ID) !== undefined)
    })
  )
})
