import { expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Layer } from "effect"
import { AppDatabase } from "../../../../layers/postgres/client/Database.ts"
import * as PgSiteData from "../../../../layers/postgres/control/PgSiteData.ts"
import type { SiteId } from "../../../../src/domain/ids.ts"
import { type ResetData, SiteData, type SiteDataError } from "../../../../src/ports/SiteData.ts"
import { identity, saveAll, text } from "../../../support/collect/records.ts"
import { openStorage } from "../../../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"
import { RANDOM_SITES, randomEvents } from "../../../support/questions/randomEvents.ts"
import { startReplica } from "../../../support/replica/replica.ts"
import { randomFrom } from "../../../support/replica/traffic.ts"
import { contentOfPostgres, contentOfReplica } from "../../../support/replica/truth.ts"

setDefaultTimeout(120_000)

const [SHOP, OTHER] = RANDOM_SITES

type Call = (data: SiteData["Service"]) => Effect.Effect<ResetData, SiteDataError>

test("a reset deletes the events and visitors of one site, in the replica too, and visitors who continue keep rows without personal data", async () => {
  const url = await freshDatabase()
  await Effect.gen(function* () {
    const storage = yield* openStorage(url)
    const sql = yield* openClient(url, 4)
    const built = yield* Layer.build(PgSiteData.layer.pipe(Layer.provide(Layer.succeed(AppDatabase, sql))))
    const data = Context.get(built, SiteData)
    const made = randomEvents(randomFrom(3))
    const records = Array.from({ length: 800 }, made.next)
    yield* saveAll(storage, records)
    yield* Effect.forEach(Array.from({ length: 40 }, made.identify), (one) => storage.saveIdentity(one))
    // Someone who is on the site now, and whose events come without the session's row.
    const [first] = records.filter(({ siteId, session }) => siteId === SHOP && session !== null)
    const continued = () => ({ ...first!, id: made.next().id, createdAt: Date.now(), session: null })
    const { distinctId: _, ...session } = first!.session!
    const known = {
      ...session,
      distinctId: "ada@example.com",
      createdAt: Date.UTC(2025, 0),
      firstPath: "/from-ada",
      firstReferrerDomain: "ada.example",
      firstUtmSource: "ada",
      firstUtmMedium: "email",
      firstUtmCampaign: "to-ada"
    }
    yield* saveAll(storage, [{ ...made.next(), siteId: SHOP, sessionId: session.id, session: known }])
    yield* storage.saveIdentity(identity(known, [text("email", "ada@example.com")]))
    yield* saveAll(storage, [continued()])
    const count = (table: string, site: SiteId) =>
      Effect.map(
        sql.unsafe<{ n: number }>(`SELECT count(*)::int AS n FROM ${table} WHERE site_id = $1`, [site]),
        ([row]) => row!.n
      )
    const before = {
      events: yield* count("product_analytics_event", SHOP),
      others: yield* count("product_analytics_event", OTHER)
    }
    const sessions = yield* count("product_analytics_session", SHOP)
    const otherSessions = yield* count("product_analytics_session", OTHER)

    yield* Effect.promise(async () => {
      await using replica = await startReplica(url)
      await replica.sync()
      const seen: Array<number> = []
      const reset: Call = (one) => one.reset(SHOP, ({ events }) => Effect.sync(() => void seen.push(events)))
      expect(await Effect.runPromise(reset(data))).toEqual({
        events: before.events,
        visitors: sessions - 1,
        keptVisitors: 1
      })
      expect(seen.length).toBeGreaterThan(1)
      expect(seen.at(-1)).toBe(before.events)
      await replica.sync()
      expect(await contentOfReplica(replica.rows)).toEqual(await contentOfPostgres(sql))
      expect(
        await replica.rows(
          "SELECT count(*) FROM event JOIN site USING (site) WHERE site_id = 'aaaaaaaa-0000-4000-8000-000000000001'"
        )
      ).toEqual([[0]])
    })

    for (const table of ["event", "event_data", "session_data", "property"]) {
      expect([table, yield* count(`product_analytics_${table}`, SHOP)]).toEqual([table, 0])
    }
    expect(yield* count("product_analytics_event", OTHER)).toBe(before.others)
    expect(yield* count("product_analytics_session", OTHER)).toBe(otherSessions)
    expect(
      yield* sql.unsafe(
        `SELECT session_id::text AS id, country, distinct_id, first_path, first_referrer_domain, first_utm_source, first_utm_medium, first_utm_campaign
        FROM product_analytics_session WHERE site_id = $1`,
        [SHOP]
      )
    ).toEqual([
      {
        id: session.id,
        country: session.country,
        distinct_id: null,
        first_path: null,
        first_referrer_domain: null,
        first_utm_source: null,
        first_utm_medium: null,
        first_utm_campaign: null
      }
    ])
    yield* saveAll(storage, [continued()])
    const [row] = yield* sql.unsafe<{ known: boolean }>(
      "SELECT EXISTS (SELECT FROM v_pa_sessions WHERE id = $1) AS known",
      [first!.sessionId]
    )
    expect(row?.known).toBe(true)
  }).pipe(Effect.scoped, Effect.runPromise)
})

test("while a site is reset, events of new visitors are stored with their visitors", async () => {
  const url = await freshDatabase()
  await Effect.gen(function* () {
    const storage = yield* openStorage(url)
    const sql = yield* openClient(url, 4)
    const built = yield* Layer.build(PgSiteData.layer.pipe(Layer.provide(Layer.succeed(AppDatabase, sql))))
    const data = Context.get(built, SiteData)
    const made = randomEvents(randomFrom(4))
    yield* saveAll(storage, Array.from({ length: 600 }, made.next))
    const saving = saveAll(storage, Array.from({ length: 600 }, made.next))
    const [, results] = yield* Effect.all(
      [saving, Effect.all([Effect.exit(data.reset(SHOP)), Effect.exit(data.reset(OTHER))], { concurrency: 2 })],
      { concurrency: 2 }
    )
    // One at a time: whichever starts while the other runs is refused.
    const outcomes = results.map((result) => (result._tag === "Failure" ? String(result.cause) : "done"))
    expect(outcomes).toContain("done")
    expect(outcomes.filter((outcome) => !/^done$|being deleted already/.test(outcome))).toEqual([])
    yield* saveAll(
      storage,
      [made.identify()].map(({ session }) => ({
        ...made.next(),
        session,
        sessionId: session.id,
        siteId: session.siteId
      }))
    )
    const orphans = yield* sql.unsafe(
      `SELECT 1 FROM product_analytics_event AS event WHERE NOT EXISTS (
        SELECT FROM product_analytics_session AS session WHERE session.session_id = event.session_id)`
    )
    expect(orphans.length).toBe(0)
    yield* storage.saveIdentity(identity(made.identify().session, [text("tier", "gold")]))
  }).pipe(Effect.scoped, Effect.runPromise)
})
