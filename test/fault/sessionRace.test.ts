import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

const SESSIONS = 400
const ROUNDS = 5

const shuffled = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> =>
  values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)

const post = (url: string, path: string, body: object) =>
  fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": FIREFOX },
    body: JSON.stringify(body)
  })

test("two collectors that see the same new sessions at the same time store each session once and reject no event", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const database = all.use(await connect(url))
  const environment = await prepareInstance(url)
  const collectors = [all.use(await Footfall.start({ environment })), all.use(await Footfall.start({ environment }))]

  for (let round = 0; round < ROUNDS; round++) {
    const visitors = Array.from({ length: SESSIONS }, (_, i) => `198.18.${round * 2 + (i >> 8)}.${i % 256}`)
    const event = (ip: string) => ({ type: "event", payload: { website: SITE, url: "/race", ip } })
    const identify = (ip: string) => ({
      type: "identify",
      payload: { website: SITE, ip, data: { plan: "free", seats: 3, round } }
    })
    const answers = await Promise.all(
      collectors.flatMap(({ url: origin }) => [
        // Each in a different order, in large batches and one by one, with and without attributes.
        post(origin, "/api/batch", shuffled(visitors).map(event)),
        post(origin, "/api/batch", shuffled(visitors).map(identify)),
        ...shuffled(visitors)
          .slice(0, 50)
          .flatMap((ip) => [post(origin, "/api/send", event(ip)), post(origin, "/api/send", identify(ip))])
      ])
    )
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
    for (const answer of answers) expect(await answer.json()).not.toMatchObject({ details: [{}] })
  }

  const [rows] = await database.query<{ sessions: number; events: number; attributes: number }>(
    `SELECT (SELECT count(*)::int FROM product_analytics_session) AS sessions,
      (SELECT count(*)::int FROM product_analytics_event) AS events,
      (SELECT count(*)::int FROM product_analytics_session_data) AS attributes`
  )
  expect(rows).toEqual({
    sessions: ROUNDS * SESSIONS,
    events: ROUNDS * 2 * (SESSIONS + 50),
    attributes: ROUNDS * SESSIONS * 3
  })
}, 180_000)
