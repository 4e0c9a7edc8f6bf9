import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { event } from "../../../bench/load/mix.ts"
import { seeded } from "../../../bench/load/random.ts"
import { CREDENTIALS, REGION } from "../../../scripts/services/credentials.ts"
import { dropDatabase, ensureDatabase } from "../../../scripts/services/database.ts"
import { duckdbExtensions } from "../../../scripts/services/engines.ts"
import { endpoint } from "../../../scripts/services/place.ts"
import { footfall } from "../../cli/support.ts"
import { SITE } from "../../support/collect/collect.ts"
import { until } from "../../support/eventually.ts"
import { prepareInstance } from "../../support/postgres/database.ts"
import { Footfall } from "../../support/process/footfallProcess.ts"
import { areUp } from "../areUp.ts"
import { lakeCatalog } from "../engines/EngineCatalog.ts"
import { createTrinoCatalog, dropTrinoCatalog, trinoQuery } from "../engines/trino.ts"
import { LakeCollector } from "./LakeCollector.ts"

setDefaultTimeout(300_000)

const up = await areUp("postgres", "seaweedfs", "moto", "trino")
const own = `overview_${process.pid}`
const DAY_S = 86_400
const ROOT = "/api/ee/product-analytics"

type Settings = Readonly<Record<string, string>>

const seconds = (instant: string) => Date.parse(instant) / 1_000

/** `visitor instant kind`: pageviews, custom events (`e`) and web vitals (`v`) of visitors that differ in their address. */
const BY_HAND: ReadonlyArray<string> = [
  // One visit of 750 s; the custom event at its end does not count.
  "1 2026-03-28T22:10:00Z p",
  "1 2026-03-28T22:22:30Z p",
  "1 2026-03-28T22:40:00Z e",
  // The same visitor in the next hour: a bounce despite the custom event.
  "1 2026-03-28T23:30:00Z p",
  "1 2026-03-28T23:30:05Z e",
  // A bounce with web vitals.
  "2 2026-03-29T09:00:00Z p",
  "2 2026-03-29T09:00:03Z v",
  // 70 s, with two pageviews in the same second.
  "3 2026-03-29T10:00:00Z p",
  "3 2026-03-29T10:00:00Z p",
  "3 2026-03-29T10:01:10Z p",
  // Only a custom event: no pageview and no visitor.
  "4 2026-03-29T11:00:00Z e",
  // The last second of March and the first of April, when the same person is another visitor.
  "5 2026-03-31T23:59:59Z p",
  "5 2026-04-01T00:00:00Z p"
]

const byHand = (): ReadonlyArray<object> =>
  BY_HAND.map((line) => {
    const [visitor, instant = "", kind] = line.split(" ")
    const payload = {
      website: SITE,
      hostname: "shop.example",
      url: "/",
      ip: `203.0.113.${visitor}`,
      timestamp: seconds(instant)
    }
    if (kind === "v") return { type: "performance", payload: { ...payload, lcp: 1_200, cls: 0.1 } }
    return { type: "event", payload: kind === "e" ? { ...payload, name: "signup" } : payload }
  })

/** The benchmarks' mix over the first twenty days of March, from few enough visitors that some return within an hour. */
const mixed = (): ReadonlyArray<object> => {
  const random = seeded(20_260_301)
  const first = seconds("2026-03-01T00:00:00Z")
  return Array.from({ length: 2_000 }, () => {
    const { payload, type } = event(random, SITE) as { readonly type: string; readonly payload: object }
    return {
      type,
      payload: { ...payload, ip: `198.51.100.${random.below(20)}`, timestamp: first + random.below(20 * DAY_S) }
    }
  })
}

const send = async (url: string): Promise<void> => {
  await LakeCollector.post(url, byHand())
  const all = mixed()
  await LakeCollector.post(url, all.slice(0, 1_000))
  await LakeCollector.post(url, all.slice(1_000))
}

const RANGES: ReadonlyArray<readonly [from: string, to: string]> = [
  ["2026-03-28", "2026-04-01"],
  ["2026-03-01", "2026-03-21"],
  ["2026-03-28", "2026-04-02"],
  ["2026-03-28T22:10:01Z", "2026-03-29T10:01:10Z"],
  ["2026-03-07T13:00:00+05:30", "2026-03-08T00:00:00Z"],
  ["2026-03-01", "2026-05-01"],
  ["2020-01-01", "2021-01-01"]
]
const FEW = RANGES.slice(0, 2)
/** The overview of the first range. */
const HAND = { pageviews: 8, visitors: 4, visits: 5, bounces: 3, totaltime: 820 }

interface Numbers {
  readonly pageviews: number
  readonly visitors: number
  readonly visits: number
  readonly bounces: number
  readonly totaltime: number
}

const numbersOf = ({ bounces, pageviews, totaltime, visitors, visits }: Numbers): Numbers => ({
  pageviews,
  visitors,
  visits,
  bounces,
  totaltime
})

const cli = async (environment: Settings, ...args: ReadonlyArray<string>) => {
  const { code, err, out } = await footfall(args, environment)
  expect([code, err]).toEqual([0, ""])
  return JSON.parse(out)
}

/** The overviews that the command line shows, by default for every range. */
const shownByCli = async (
  environment: Settings,
  warehouse: string,
  ranges = RANGES
): Promise<ReadonlyArray<Numbers>> => {
  const all: Array<Numbers> = []
  for (const [from, to] of ranges) {
    const answer = await cli(environment, "sites", "stats", SITE, "--from", from, "--to", to, "--json")
    expect(answer.warehouse).toBe(warehouse)
    all.push(numbersOf(answer))
  }
  return all
}

/** A `full` process of an instance, and requests to it with a viewer's key. */
const openApi = async (environment: Settings) => {
  const { key } = await cli(environment, "keys", "create", "--role", "viewer", "--json")
  const full = await Footfall.start({ entry: "full", environment })
  const get = (path: string, init: RequestInit = {}) =>
    fetch(`${full.url}${ROOT}/${path}`, { ...init, headers: { authorization: `Bearer ${key}` } })
  const ask = async (question: object) => {
    const response = await fetch(`${full.url}/api/dataset`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(question)
    })
    return response.json()
  }
  const stats = (from: string, to: string) =>
    `sites/${SITE}/stats?startAt=${Date.parse(from)}&endAt=${Date.parse(to) - 1}`
  return {
    full,
    get,
    ask,
    stats,
    key: String(key),
    /** The overviews of every range. */
    all: async () => {
      const answers: Array<Numbers> = []
      for (const [from, to] of RANGES) {
        const response = await get(stats(from, to))
        expect(response.status).toBe(200)
        answers.push((await response.json()) as Numbers)
      }
      return answers
    },
    [Symbol.asyncDispose]: () => full[Symbol.asyncDispose]()
  }
}

describe.skipIf(!up)("a site's overview", () => {
  let lake: LakeCollector
  let postgres: Settings
  let duckdb: Settings
  let trino: Settings
  let expected: ReadonlyArray<Numbers>

  beforeAll(async () => {
    duckdb = { WAREHOUSE: "duckdb", DUCKDB_EXTENSION_DIRECTORY: await duckdbExtensions() }
    trino = { WAREHOUSE: "trino", TRINO_URL: endpoint.trino(), TRINO_CATALOG: own }
    lake = await LakeCollector.open({ name: own })
    await createTrinoCatalog(own, lakeCatalog({ name: own, database: own, warehouse: `s3://lake/${own}` }))
    postgres = await prepareInstance(await ensureDatabase(`${own}_pg`))
    await using collector = await Footfall.start({ environment: postgres })
    await send(collector.url)
    expected = await shownByCli(postgres, "postgres")
  }, 480_000)

  afterAll(async () => {
    await dropTrinoCatalog(own)
    await lake[Symbol.asyncDispose]()
    await dropDatabase(`${own}_pg`)
  })

  test("a site's overview before the first flush fails with a message that says so", async () => {
    for (const warehouse of [duckdb, trino]) {
      const { code, err } = await footfall(["sites", "stats", SITE], { ...lake.environment, ...warehouse })
      expect([code, err]).toEqual([1, expect.stringMatching(/ first flush creates /)])
    }
  })

  test("a site's overview in Postgres matches the requests, in the command line and the API", async () => {
    expect(expected[0]).toEqual(HAND)
    expect(expected[1]!.visits).toBeGreaterThan(100)
    expect(expected[1]!.bounces).toBeLessThan(expected[1]!.visits)
    expect(expected[6]).toEqual({ pageviews: 0, visitors: 0, visits: 0, bounces: 0, totaltime: 0 })
    await using api = await openApi(postgres)
    expect(await api.all()).toEqual([...expected])
  })

  test("a site's overview of a JDBC lake on S3 is the same through DuckDB and Trino, in the command line and the API", async () => {
    await lake.start()
    await send(lake.process.url)
    await lake.stop()
    for (const warehouse of [duckdb, trino]) {
      const environment = { ...lake.environment, ...warehouse }
      expect(await shownByCli(environment, warehouse["WAREHOUSE"]!)).toEqual([...expected])
      await using api = await openApi(environment)
      expect(await api.all()).toEqual([...expected])
      const question = {
        fql: 1,
        type: "query",
        source: "v_pa_events",
        filter: ["and", ["=", "site_id", SITE], ["between", "created_at", "2026-03-28", "2026-03-31"]],
        aggregation: [
          ["metric", "pageviews"],
          ["metric", "visitors"]
        ]
      }
      // Questions also count a visitor who only had a custom event.
      expect(await api.ask(question)).toMatchObject({
        route: "lake",
        data: { rows: [[HAND.pageviews, HAND.visitors + 1]] }
      })
      const status = (await (await api.get("status")).json()) as { readonly warehouse: unknown }
      expect(status.warehouse).toEqual({ engine: warehouse["WAREHOUSE"], ready: true, why: null })
      api.full.signal("SIGTERM")
      expect(await api.full.ended()).toBe(0)
      const { checks } = await cli(environment, "doctor", "--json", "--url", "http://localhost:1")
      expect(checks).toContainEqual({
        about: "warehouse",
        state: "ok",
        found: `${warehouse["WAREHOUSE"]} answers queries`
      })
    }
  })

  test.each<[string, (folder: string, name: string) => Settings]>([
    [
      "a local Hadoop catalog",
      (folder) => ({
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "hadoop",
        PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${folder}`
      })
    ],
    [
      "a JDBC catalog with a local warehouse",
      (folder) => ({ PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${folder}` })
    ],
    ["a Hadoop catalog in S3", () => ({ PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "hadoop" })],
    [
      "a REST catalog",
      (_, name) => ({
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "rest",
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_URI: endpoint.icebergRest(),
        PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: "s3://warehouse",
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_CREDENTIALS: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
        PRODUCT_ANALYTICS_ICEBERG_OAUTH2_SERVER_URI: endpoint.icebergRestTokens(),
        PRODUCT_ANALYTICS_ICEBERG_NAMESPACE: name
      })
    ],
    [
      "Glue",
      (_, name) => ({
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "glue",
        PRODUCT_ANALYTICS_ICEBERG_CATALOG_URI: REGION,
        PRODUCT_ANALYTICS_ICEBERG_NAMESPACE: name,
        AWS_ENDPOINT_URL_GLUE: endpoint.moto()
      })
    ]
  ])("a site's overview through DuckDB is the same from %s", async (catalogName, settings) => {
    const folder = mkdtempSync(join(tmpdir(), "footfall-lake-"))
    const name = `${own}_${catalogName.toLowerCase().replaceAll(/\W+/g, "_")}`
    try {
      await using other = await LakeCollector.open({ name, environment: settings(folder, name) })
      await other.start()
      await send(other.process.url)
      await other.stop()
      expect(await shownByCli({ ...other.environment, ...duckdb }, "duckdb", FEW)).toEqual(
        expected.slice(0, FEW.length)
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test("DuckDB reads a lake with S3 keys that the AWS SDK finds", async () => {
    const {
      PRODUCT_ANALYTICS_ICEBERG_AWS_ACCESS_KEY: AWS_ACCESS_KEY_ID = "",
      PRODUCT_ANALYTICS_ICEBERG_AWS_SECRET_KEY: AWS_SECRET_ACCESS_KEY = "",
      ...rest
    } = lake.environment
    const environment = {
      ...rest,
      ...duckdb,
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_EC2_METADATA_DISABLED: "true"
    }
    expect(await shownByCli(environment, "duckdb", FEW)).toEqual(expected.slice(0, FEW.length))
    const withoutKeys = { ...rest, ...duckdb, AWS_EC2_METADATA_DISABLED: "true" }
    const { code, err } = await footfall(["sites", "stats", SITE], withoutKeys)
    expect([code, err]).toEqual([1, expect.stringContaining("PRODUCT_ANALYTICS_ICEBERG_AWS_ACCESS_KEY")])
  })

  test("a query is canceled in Trino when the client hangs up", async () => {
    const held = Promise.withResolvers<Response>()
    const deleted: Array<string> = []
    let query = ""
    let isHeld = false
    // A proxy in front of Trino that withholds the pages of an answer.
    await using proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { pathname } = new URL(request.url)
        if (request.method === "GET" && pathname.includes("/executing/")) {
          isHeld = true
          return held.promise
        }
        if (request.method === "DELETE") deleted.push(pathname)
        const body = await request.text()
        const headers = new Headers(request.headers)
        const response = await fetch(endpoint.trino() + pathname, {
          method: request.method,
          headers,
          ...(body !== "" && { body })
        })
        const answer = await response.text()
        query ||= /"id":"(\w+)"/.exec(answer)?.[1] ?? ""
        return new Response(answer === "" ? null : answer, { status: response.status })
      }
    })
    await using api = await openApi({
      ...lake.environment,
      ...trino,
      TRINO_URL: `http://127.0.0.1:${proxy.port}`
    })
    const hangUp = new AbortController()
    const answer = api.get(api.stats("2026-03-01", "2026-04-01"), { signal: hangUp.signal })
    await until("the query runs in Trino", () => isHeld)
    expect(deleted).toEqual([])
    hangUp.abort()
    await expect(answer).rejects.toThrow()
    await until("Trino is asked to cancel", () => deleted.length > 0)
    expect(deleted[0]).toContain(query)
    const stateOf = async () =>
      (await trinoQuery(`SELECT state, error_code FROM system.runtime.queries WHERE query_id = '${query}'`)).rows[0]
    await until("the query has ended in Trino", async () => (await stateOf())?.[0] === "FAILED")
    expect(await stateOf()).toEqual(["FAILED", "USER_CANCELED"])
    held.resolve(new Response(null, { status: 410 }))
  })

  test("the API answers 503 when the warehouse is unreachable and 504 past its deadline, without revealing its address", async () => {
    const never = Promise.withResolvers<Response>()
    await using silent = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => never.promise })
    for (const [url, status, seconds] of [
      ["http://127.0.0.1:1", 503, "30"],
      [`http://127.0.0.1:${silent.port}`, 504, "1"]
    ] as const) {
      await using api = await openApi({
        ...lake.environment,
        ...trino,
        TRINO_URL: url,
        WAREHOUSE_TIMEOUT_SECONDS: seconds
      })
      const response = await api.get(api.stats("2026-03-01", "2026-04-01"))
      const problem = await response.text()
      expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/problem+json"])
      expect(problem).not.toMatch(/127\.0\.0\.1|SELECT|at .*\.ts/)
      const id = response.headers.get("x-request-id")!
      await until("the request id is logged", () => api.full.output.includes(id))
    }
    never.resolve(new Response())
  })
})
