import { expect, test } from "bun:test"
import { Layer, Redacted } from "effect"
import { Storage } from "../../src/ports/Storage.ts"
import { SITE, startCollect } from "../support/collect/collect.ts"
import { connect } from "../support/postgres/database.ts"
import { openStorage, settableClock } from "../support/postgres/pgStorage.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"

const VISITOR = "81.2.69.142"

/** A collector on its own database whose clock the test sets; waits take real time. */
const startAt = async (
  all: AsyncDisposableStack,
  moment: string,
  environment: Readonly<Record<string, string>> = {}
) => {
  const url = await freshDatabase()
  const database = all.use(await connect(Redacted.value(url)))
  const { clock, show } = settableClock(Date.parse(moment))
  const collect = await startCollect({
    clock,
    storage: Layer.effect(Storage, openStorage(url, { clock, environment }))
  })
  all.defer(collect.stop)
  /** Sends an event from the visitor; returns the response's ids and token with its status. */
  const send = async (name: string, token?: string) => {
    const response = await collect.post(
      { type: "event", payload: { website: SITE, url: "/", name, ip: VISITOR } },
      token === undefined ? {} : { headers: { "x-umami-cache": token } }
    )
    return { status: response.status, ...(await response.json()) }
  }
  const stored = () =>
    database.query<{ readonly name: string; readonly at: string; readonly partition: string }>(
      `SELECT event_name AS name, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
        replace(tableoid::regclass::text, 'product_analytics_event_', '') AS partition
      FROM product_analytics_event ORDER BY event_name`
    )
  const sessions = async () =>
    (await database.query<{ readonly id: string }>("SELECT session_id AS id FROM product_analytics_session"))
      .map(({ id }) => id)
      .sort()
  return { send, show: (at: string) => show(Date.parse(at)), stored, sessions, url }
}

test("after the end of a month, events go to the new month's partition without preparation", async () => {
  await using all = new AsyncDisposableStack()
  const { send, show, stored, sessions } = await startAt(all, "2031-01-31T23:59:59.999Z")
  const last = await send("a")
  show("2031-02-01T00:00:00.000Z")
  const first = await send("b", last.cache)
  // As on a machine that slept for three months.
  show("2031-05-01T00:00:00.000Z")
  const later = await send("c", first.cache)

  expect([last.status, first.status, later.status]).toEqual([200, 200, 200])
  expect(await stored()).toEqual([
    { name: "a", at: "2031-01-31T23:59:59.999Z", partition: "2031_01" },
    { name: "b", at: "2031-02-01T00:00:00.000Z", partition: "2031_02" },
    { name: "c", at: "2031-05-01T00:00:00.000Z", partition: "2031_05" }
  ])
  // Each month has its own salt: three sessions, each stored although the previous token named another.
  const ids = [last.sessionId, first.sessionId, later.sessionId]
  expect(new Set(ids).size).toBe(3)
  expect(await sessions()).toEqual(ids.toSorted())
})

test("after the end of an hour, a visit continues with its token, and without it a new one starts", async () => {
  await using all = new AsyncDisposableStack()
  const { send, show, stored, sessions } = await startAt(all, "2031-03-10T12:59:59.999Z")
  const begin = await send("a")
  show("2031-03-10T13:00:00.000Z")
  const withToken = await send("b", begin.cache)
  const without = await send("c")
  show("2031-03-10T13:29:59.999Z")
  const before30Minutes = await send("d", withToken.cache)
  show("2031-03-10T13:30:00.999Z")
  const after30Minutes = await send("e", before30Minutes.cache)

  expect([withToken, without, before30Minutes, after30Minutes].map(({ sessionId }) => sessionId)).toEqual(
    Array(4).fill(begin.sessionId)
  )
  expect(withToken.visitId).toBe(begin.visitId)
  expect(before30Minutes.visitId).toBe(begin.visitId)
  expect(without.visitId).not.toBe(begin.visitId)
  // The visit of an hour is the same for every process that starts one in it.
  expect(after30Minutes.visitId).toBe(without.visitId)
  expect((await stored()).map(({ name }) => name)).toEqual(["a", "b", "c", "d", "e"])
  expect(await sessions()).toEqual([begin.sessionId])
})

test("a collector whose clock is set back an hour keeps storing, and keeps the visit of a token from the future", async () => {
  await using all = new AsyncDisposableStack()
  const { send, show, stored } = await startAt(all, "2031-03-10T13:15:00.000Z")
  const before = await send("a")
  show("2031-03-10T12:15:00.000Z")
  const back = await send("b", before.cache)
  const without = await send("c")
  show("2031-03-10T13:20:00.000Z")
  const right = await send("d", back.cache)

  expect([before, back, without, right].map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect([back.visitId, right.visitId]).toEqual([before.visitId, before.visitId])
  expect(without.visitId).not.toBe(before.visitId)
  expect((await stored()).map(({ at }) => at.slice(11, 19))).toEqual(["13:15:00", "12:15:00", "12:15:00", "13:20:00"])
})

test("a collector whose clock ran years ahead and is corrected keeps storing, and later months still get their partitions", async () => {
  await using all = new AsyncDisposableStack()
  const { send, show, stored } = await startAt(all, "2031-03-31T23:00:00.000Z")
  const before = await send("a")
  show("2094-01-01T00:00:00.000Z")
  const ahead = await send("b", before.cache)
  show("2031-03-31T23:00:01.000Z")
  // Its 24 hours are in the future: it proves nothing and does no harm.
  const right = await send("c", ahead.cache)
  show("2031-05-01T00:00:00.000Z")
  const later = await send("d", right.cache)

  expect([before, ahead, right, later].map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect(right).toMatchObject({ sessionId: before.sessionId })
  expect((await stored()).map(({ partition }) => partition)).toEqual(["2031_03", "2094_01", "2031_03", "2031_05"])
})

test("requests that wait while the clock is set back are still answered by their deadline", async () => {
  await using all = new AsyncDisposableStack()
  const environment = { STORAGE_TIMEOUT_SECONDS: "1", STORAGE_IN_FLIGHT: "1" }
  const { send, show, stored, url } = await startAt(all, "2031-03-10T13:15:00.000Z", environment)
  const holder = all.use(await connect(Redacted.value(url), 1))
  await holder.query("BEGIN")
  await holder.query("LOCK TABLE product_analytics_event IN ACCESS EXCLUSIVE MODE")
  // The first one is being written, the second waits for its turn.
  const waiting = [send("a")]
  await Bun.sleep(100)
  waiting.push(send("b"))
  await Bun.sleep(100)
  show("2031-03-10T12:15:00.000Z")
  const outcome = await Promise.race([
    Promise.all(waiting).then((answers) => answers.map(({ status }) => status)),
    Bun.sleep(5_000).then(() => "no answer")
  ])
  await holder.query("ROLLBACK")

  expect(outcome).toEqual([503, 503])
  expect((await send("c")).status).toBe(200)
  expect((await stored()).at(-1)).toMatchObject({ name: "c" })
}, 180_000)
