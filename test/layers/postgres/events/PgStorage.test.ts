import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { EventType } from "../../../../src/domain/Event.ts"
import { SiteId } from "../../../../src/domain/ids.ts"
import { event, events, identity, NOW, saveAll, session, stored, text } from "../../../support/collect/records.ts"
import { type Intercept, openStorage, readStored } from "../../../support/postgres/pgStorage.ts"
import { onlyStored, watchBatches, withDatabase } from "../../../support/postgres/pgWriter.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

describe("sessions", () => {
  test("a stored session is not sent again", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const { watched, intercept } = watchBatches()
        const storage = yield* openStorage(url, { intercept })
        const [seen, identified] = [session(), session()]
        yield* storage.saveEvent(event({ session: seen }))
        yield* storage.saveIdentity(identity(identified))
        yield* saveAll(storage, [event({ session: seen }), event({ session: identified }), event()])
        expect(watched.sessions).toEqual([1, 1])
      })
    ))

  test("a session is sent again if its batch was not stored", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const visitor = session()
        yield* Effect.flip(storage.saveEvent(event({ session: visitor, name: "x".repeat(51) })))
        const record = event({ session: visitor })
        yield* storage.saveEvent(record)
        expect(yield* readStored(sql)).toEqual(stored({ events: [record], sessions: [visitor] }))
      })
    ))

  test("a session records when its distinct id was set, and an attribute when it last changed", () =>
    withDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        const visitor = session({ createdAt: 1_000 })
        const known = { ...visitor, distinctId: "ann", createdAt: 2_000 }
        yield* storage.saveIdentity(identity(visitor, [text("plan", "Team"), text("role", "owner")], 1_000))
        yield* storage.saveIdentity(identity(known, [text("plan", "Team"), text("role", "guest")], 2_000))
        yield* storage.saveIdentity(identity({ ...known, createdAt: 3_000 }, [], 3_000))
        expect(
          yield* sql.unsafe(`SELECT extract(epoch FROM created_at)::int AS created, extract(epoch FROM updated_at)::int AS updated
            FROM product_analytics_session`)
        ).toEqual([{ created: 1, updated: 2 }])
        expect(
          yield* sql.unsafe(`SELECT data_key AS key, extract(epoch FROM created_at)::int AS changed
            FROM product_analytics_session_data ORDER BY data_key`)
        ).toEqual([
          { key: "plan", changed: 1 },
          { key: "role", changed: 2 }
        ])
      })
    ))
})

test("a property has its event's site, session, name and time", () =>
  withDatabase(({ sql, url }) =>
    Effect.gen(function* () {
      const storage = yield* openStorage(url)
      yield* saveAll(
        storage,
        events(20, (index) => ({
          siteId: SiteId.make(`22222222-2222-4333-8444-5555555555${10 + index}`),
          createdAt: NOW - index * 86_400_000,
          type: EventType.custom,
          name: index % 2 === 0 ? `event ${index}` : null,
          properties: [text("a", "1"), text("b", "2")]
        }))
      )
      expect(
        yield* sql.unsafe(`SELECT count(*)::int AS agreeing
          FROM product_analytics_event_data AS d JOIN product_analytics_event AS e USING (event_id)
          WHERE (d.site_id, d.session_id, d.created_at) = (e.site_id, e.session_id, e.created_at)
            AND d.event_name IS NOT DISTINCT FROM e.event_name`)
      ).toEqual([{ agreeing: 40 }])
    })
  ))

test("processes that save the same new sessions at the same time store each once and never deadlock", () =>
  withDatabase(({ sql, url }) =>
    Effect.gen(function* () {
      const deadlocks: Array<unknown> = []
      const intercept: Intercept = (_, __, answer) =>
        Effect.tapError(answer, (error) =>
          Effect.sync(() => {
            if (JSON.stringify(error.reason.cause).includes("40P01")) deadlocks.push(error)
          })
        )
      const environment = { STORAGE_IN_FLIGHT: "4", STORAGE_BATCH_SIZE: "50" }
      const processes = yield* Effect.all([1, 2, 3].map(() => openStorage(url, { environment, intercept })))
      for (let round = 0; round < 10; round++) {
        const visitors = Array.from({ length: 60 }, () => session({ browser: "firefox" }))
        // Each process saves them in its own order, repeatedly, and with attributes.
        const outcomes = yield* Effect.all(
          processes.map((storage, process) => {
            const own = visitors.toSorted((a, b) => order(a.id, process) - order(b.id, process))
            const views = [...own, ...own.toReversed()].map((visitor) => event({ session: visitor }))
            const known = own.map((visitor) =>
              storage.saveIdentity(identity({ ...visitor, distinctId: "ann" }, [text("a", "1"), text("b", "2")]))
            )
            return Effect.all([saveAll(storage, views), Effect.all(known, { concurrency: "unbounded" })], {
              concurrency: "unbounded"
            })
          }),
          { concurrency: "unbounded" }
        )
        expect(new Set(outcomes.flatMap(([saved]) => saved))).toEqual(onlyStored)
        const { sessions } = yield* readStored(sql)
        expect(
          stored({ sessions: sessions.filter(({ id }) => visitors.some((visitor) => visitor.id === id)) })
        ).toEqual(stored({ sessions: visitors.map((visitor) => ({ ...visitor, distinctId: "ann" })) }))
      }
      expect(deadlocks).toEqual([])
      const [row] = yield* sql.unsafe<{ events: number; sessions: number }>(
        "SELECT (SELECT count(*)::int FROM product_analytics_event) AS events, (SELECT count(*)::int FROM product_analytics_session) AS sessions"
      )
      expect(row).toEqual({ events: 10 * 3 * 120, sessions: 600 })
    })
  ))

/** A fixed order of the ids for each process. */
function order(id: string, process: number): number {
  return Bun.hash.crc32(id, process)
}
