import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Exit, type Redacted, Scope } from "effect"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import { maintainPartitions } from "../../../layers/postgres/events/PartitionJob.ts"
import type { Storage } from "../../../src/ports/Storage.ts"
import { identity, saveAll, text } from "../../support/collect/records.ts"
import { openStorage } from "../../support/postgres/pgStorage.ts"
import { freshDatabase, openClient } from "../../support/postgres/postgres.ts"
import { startReplica, type TestReplica } from "../../support/replica/replica.ts"
import { randomFrom, traffic } from "../../support/replica/traffic.ts"
import { contentOfPostgres, contentOfReplica } from "../../support/replica/truth.ts"

setDefaultTimeout(120_000)

const scope = Scope.makeUnsafe()
const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Scope.provide(effect, scope))

let url: Redacted.Redacted<string>
let sql: DatabaseClient
let writers: ReadonlyArray<Storage["Service"]>

beforeAll(async () => {
  url = await freshDatabase()
  sql = await inScope(openClient(url, 2))
  writers = [await inScope(openStorage(url)), await inScope(openStorage(url))]
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const expectEqual = async (replica: TestReplica) => {
  await replica.sync()
  const [expected, found] = [await contentOfPostgres(sql), await contentOfReplica(replica.rows)]
  for (const name of ["events", "visits", "sessions", "properties", "attributes", "sites"] as const) {
    expect([name, found[name]]).toEqual([name, expected[name]])
  }
  expect(expected.events.length).toBeGreaterThan(0)
}

describe("a replica that follows", () => {
  test("a replica has every event exactly once, and the same visits and predecessors as Postgres computes, whatever comes late", async () => {
    const random = randomFrom(7)
    const visitors = traffic(random, Date.now)
    const save = async (count: number) => {
      const records = Array.from({ length: count }, visitors.next)
      const half = records.length / 2
      const outcomes = await Effect.runPromise(
        Effect.all([saveAll(writers[0]!, records.slice(0, half)), saveAll(writers[1]!, records.slice(half))], {
          concurrency: 2
        })
      )
      expect(new Set(outcomes.flat())).toEqual(new Set(["stored"]))
    }
    await save(300)
    await using replica = await startReplica(url)
    await expectEqual(replica)
    // About 1,000 events a second, while it polls.
    for (let second = 0; second < 5; second++) {
      const begun = performance.now()
      for (let batch = 0; batch < 5; batch++) await save(200)
      for (const owner of visitors.sessions.slice(-3)) {
        await Effect.runPromise(writers[0]!.saveIdentity(identity(owner, [text("plan", String(second))])))
      }
      await Bun.sleep(Math.max(0, 1_000 - (performance.now() - begun)))
    }
    await Effect.runPromise(
      sql.unsafe(
        "INSERT INTO product_analytics_site (id, name, domains, timezone, week_start, currency) VALUES ($1::uuid, 'a \"shop\"', '{a.example,b.example}', 'UTC', 'monday', 'USD')",
        [visitors.sites[0]!]
      )
    )
    await expectEqual(replica)
    const check = await Effect.runPromise(replica.replica.check)
    expect(check.differences).toBe(0)

    // Others, which are built from all of it at once and in many parts, have the same.
    await using rebuilt = await startReplica(url)
    await expectEqual(rebuilt)
    await using inParts = await startReplica(url, { linkedRows: 200 })
    await expectEqual(inParts)
  })

  test("events that arrive with old ids are read, because the writer notes them", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    let counter = 0
    const old = traffic(
      randomFrom(11),
      () => Date.now() - 7_200_000,
      () => `0190a0b0-0000-7000-8000-${(++counter).toString(16).padStart(12, "0")}`
    )
    await Effect.runPromise(saveAll(writers[0]!, Array.from({ length: 200 }, old.next)))
    await expectEqual(replica)
  })

  test("rows that move to a partition of their own are neither lost nor read twice", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const random = randomFrom(13)
    const past = traffic(random, () => Date.UTC(2024, 4, 10) + Math.floor(random() * 86_400_000))
    for (let round = 0; round < 3; round++) {
      await Effect.runPromise(saveAll(writers[0]!, Array.from({ length: 100 }, past.next)))
      await Effect.runPromise(maintainPartitions(sql, 1))
      await replica.sync()
    }
    await expectEqual(replica)
  })

  test("rows that were deleted or replaced are read again when their range is noted", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    const [{ site }] = (await Effect.runPromise(
      sql.unsafe<{ site: string }>(
        "SELECT site_id::text AS site FROM product_analytics_event GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
      )
    )) as [{ site: string }]
    const middle = new Date(Date.now() - 20 * 60_000).toISOString()
    await Effect.runPromise(
      sql.withTransaction(
        Effect.gen(function* () {
          for (const table of ["event_data", "event"]) {
            yield* sql.unsafe(
              `DELETE FROM product_analytics_${table} WHERE site_id = $1::uuid AND created_at < $2::timestamptz AND session_id::text < '8'`,
              [site, middle]
            )
          }
          yield* sql.unsafe("SELECT product_analytics_replica_resync($1::uuid, NULL, $2::timestamptz)", [site, middle])
        })
      )
    )
    await expectEqual(replica)
    // The whole site.
    await Effect.runPromise(
      sql.withTransaction(
        Effect.gen(function* () {
          for (const table of ["event_data", "event", "session_data", "session"]) {
            yield* sql.unsafe(`DELETE FROM product_analytics_${table} WHERE site_id = $1::uuid`, [site])
          }
          yield* sql.unsafe("SELECT product_analytics_replica_resync($1::uuid, NULL, NULL)", [site])
        })
      )
    )
    await replica.sync()
    const rows = await replica.rows(
      `SELECT (SELECT count(*) FROM event JOIN site USING (site) WHERE site_id = '${site}'), (SELECT count(*) FROM visit JOIN site USING (site) WHERE site_id = '${site}'),
        (SELECT count(*) FROM session JOIN site USING (site) WHERE site_id = '${site}' AND session.known)`
    )
    expect(rows).toEqual([[0, 0, 0]])
  })

  test("a check finds a day that differs without a note, and the day is read again", async () => {
    await using replica = await startReplica(url)
    await replica.sync()
    await Effect.runPromise(
      sql.unsafe(
        "UPDATE product_analytics_event SET page_title = 'changed' WHERE event_id = (SELECT event_id FROM product_analytics_event WHERE event_type <> 5 ORDER BY event_id LIMIT 1)"
      )
    )
    const first = await Effect.runPromise(replica.replica.check)
    expect(first.differences).toBe(1)
    await expectEqual(replica)
    expect((await Effect.runPromise(replica.replica.check)).differences).toBe(0)
  })

  test("a check of days with many events compares them by the hour, and reads the hours again that differ", async () => {
    await using replica = await startReplica(url, { checkedEvents: 20 })
    await replica.sync()
    await Effect.runPromise(
      sql.unsafe(`UPDATE product_analytics_event SET page_title = 'by the hour' WHERE event_id IN (
        (SELECT event_id FROM product_analytics_event WHERE event_type <> 5 ORDER BY created_at LIMIT 1),
        (SELECT event_id FROM product_analytics_event WHERE event_type <> 5 ORDER BY created_at DESC LIMIT 1))`)
    )
    const [{ days } = { days: 0 }] = await Effect.runPromise(
      sql.unsafe<{ days: number }>(
        "SELECT count(DISTINCT (site_id, (created_at AT TIME ZONE 'UTC')::date))::int AS days FROM product_analytics_event WHERE page_title = 'by the hour'"
      )
    )
    expect((await Effect.runPromise(replica.replica.check)).differences).toBe(days)
    await expectEqual(replica)
  })
})
