import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { footfall } from "../cli/support.ts"
import { FIREFOX } from "../support/collect/collect.ts"
import { allowing } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

/** The time that the snippet's page and the command line promise. */
const PROMISED_MS = 5_000
const API = "/api/ee/product-analytics"

/** Each process's response to an event of the site: `200`, or `400` while it does not know the id. */
const askAll = (processes: ReadonlyArray<Footfall>, site: string) =>
  Promise.all(
    processes.map(async ({ url }) => {
      const response = await fetch(`${url}/api/send`, {
        method: "POST",
        headers: { "user-agent": FIREFOX },
        body: JSON.stringify({ type: "event", payload: { website: site, url: "/", name: "probe" } })
      })
      await response.arrayBuffer()
      return response.status
    })
  )

/** The time until every process gave this response; none may give a third one. */
const allAnswer = async (processes: ReadonlyArray<Footfall>, site: string, wanted: 200 | 400): Promise<number> => {
  const begin = performance.now()
  for (;;) {
    const statuses = await askAll(processes, site)
    if (statuses.every((status) => status === wanted)) return performance.now() - begin
    expect(statuses.every((status) => status === 200 || status === 400)).toBe(true)
    if (performance.now() - begin > allowing(2 * PROMISED_MS))
      throw new Error(`after ${2 * PROMISED_MS} ms: ${statuses}`)
    await Bun.sleep(20)
  }
}

test("site changes reach every process within 5 s, with or without LISTEN", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const database = all.use(await connect(url))
  const environment = await prepareInstance(url)
  const full = all.use(await Footfall.start({ entry: "full", environment }))
  const processes = [
    full,
    all.use(await Footfall.start({ environment })),
    all.use(await Footfall.start({ environment }))
  ]

  const api = async (method: string, path: string, body?: object): Promise<{ readonly id: string }> => {
    const response = await fetch(full.url + API + path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    expect(response.ok).toBe(true)
    return (await response.json()) as { readonly id: string }
  }
  const cli = async (...args: ReadonlyArray<string>): Promise<{ readonly id: string }> => {
    const { code, out } = await footfall([...args, "--json"], environment)
    expect(code).toBe(0)
    return JSON.parse(out) as { readonly id: string }
  }
  const created = await footfall(["keys", "create", "--json"], environment)
  const { key } = JSON.parse(created.out) as { readonly key: string }

  const rounds = async () => {
    const viaApi = await api("POST", "/sites", { name: "Shop" })
    const viaCli = await cli("sites", "create", "--name", "Blog")
    const took = [await allAnswer(processes, viaApi.id, 200), await allAnswer(processes, viaCli.id, 200)]
    await cli("sites", "delete", viaApi.id)
    took.push(await allAnswer(processes, viaApi.id, 400))
    await api("DELETE", `/sites/${viaCli.id}`)
    took.push(await allAnswer(processes, viaCli.id, 400))
    return Math.max(...took)
  }

  expect(await rounds()).toBeLessThan(allowing(PROMISED_MS))

  const ended = await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'footfall-changes' AND datname = current_database()"
  )
  expect(ended.length).toBeGreaterThanOrEqual(processes.length)
  expect(await rounds()).toBeLessThan(allowing(PROMISED_MS))

  // There are no notifications any more, only polling.
  await database.query("DROP TRIGGER product_analytics_site_changed ON product_analytics_site")
  expect(await rounds()).toBeLessThan(allowing(PROMISED_MS))
}, 300_000)
