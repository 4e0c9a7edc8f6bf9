import { event } from "../../../bench/load/mix.ts"
import { seeded } from "../../../bench/load/random.ts"
import { BUCKET, CREDENTIALS, REGION } from "../../../scripts/services/credentials.ts"
import { dropDatabase, ensureDatabase } from "../../../scripts/services/database.ts"
import { endpoint } from "../../../scripts/services/place.ts"
import { emptyLake } from "../../../scripts/services/seaweedfs.ts"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import { FIREFOX, SITE } from "../../support/collect/collect.ts"
import { drain, LakeUnderTest, lakeSettings } from "../../support/lake/LakeUnderTest.ts"
import type { Footfall } from "../../support/process/footfallProcess.ts"

/** Items of a batch, by default at most. */
const BATCH = 1_000
const NAMESPACE = "product_analytics"

/** The settings of the local S3. */
export const s3Settings = (): Record<string, string> => ({
  PRODUCT_ANALYTICS_ICEBERG_S3_BUCKET: "lake",
  PRODUCT_ANALYTICS_ICEBERG_S3_ENDPOINT: endpoint.s3(),
  PRODUCT_ANALYTICS_ICEBERG_AWS_REGION: REGION,
  PRODUCT_ANALYTICS_ICEBERG_AWS_ACCESS_KEY: CREDENTIALS.s3.accessKeyId,
  PRODUCT_ANALYTICS_ICEBERG_AWS_SECRET_KEY: CREDENTIALS.s3.secretAccessKey
})

/** Events of every kind that the collector accepts, with strings that are hard for engines. */
const oddEvents = (): ReadonlyArray<object> => {
  const payload = { website: SITE, hostname: "shop.example", url: "/", screen: "1920x1080", language: "en" }
  return [
    { type: "event", payload: { ...payload, title: "Emoji \u{1f600} and \u8a9e", url: "/caf\u00e9?q=\u{1f4a9}" } },
    { type: "event", payload: { ...payload, name: "empty", data: {} } },
    {
      type: "event",
      payload: { ...payload, name: "values", data: { a: "", b: null, "c.d": "\u{10ffff}", e: [1, "x"] } }
    },
    { type: "event", payload: { ...payload, name: "revenue", data: { revenue: 999_999_999.9999, currency: "jpy" } } },
    { type: "event", payload: { ...payload, timestamp: 86_400, title: "1970" } },
    { type: "event", payload: { ...payload, timestamp: 4_102_444_800, title: "2100" } },
    { type: "performance", payload: { ...payload, lcp: 1234.5, inp: 12, fcp: 900.1, ttfb: 80, cls: 0.1234 } },
    {
      type: "identify",
      payload: { ...payload, id: "user-1", data: { plan: "Team", seats: 5, since: "2026-01-01T00:00:00Z" } }
    },
    { type: "identify", payload: { ...payload, data: { beta: true } } }
  ]
}

export interface LakeCollectorOptions {
  /** Names the database, the catalog and the folder in the bucket. */
  readonly name: string
  readonly environment?: Readonly<Record<string, string>>
}

/** A collector that writes to a lake of its own on the local services, and the events sent to it. */
export class LakeCollector implements AsyncDisposable {
  readonly name: string
  /** Events that were answered with 200, without identities. */
  events = 0
  readonly #lake: LakeUnderTest
  readonly #random = seeded(20_261_124)
  #process: Footfall | null = null

  private constructor(name: string, lake: LakeUnderTest) {
    this.name = name
    this.#lake = lake
  }

  static async open({ environment = {}, name }: LakeCollectorOptions): Promise<LakeCollector> {
    const lake = await LakeUnderTest.open(await ensureDatabase(name), {
      environment: () => ({
        ...s3Settings(),
        ...lakeSettings({
          WAREHOUSE: `s3://${BUCKET}/${name}`,
          CATALOG_NAME: name,
          FLUSH_INTERVAL_SECONDS: "3600"
        }),
        // For the events of 1970 and 2100.
        TIMESTAMP_EARLIEST: "1970-01-01",
        TIMESTAMP_MAX_AHEAD_SECONDS: "3155760000",
        ...environment
      })
    })
    return new LakeCollector(name, lake)
  }

  /** The settings of its instance, for other processes of it. */
  get environment(): Readonly<Record<string, string>> {
    // The collector's port is its own.
    const { PORT: _, ...environment } = this.#lake.environment
    return environment
  }

  async start(): Promise<void> {
    this.#process = await this.#lake.start()
  }

  get process(): Footfall {
    if (this.#process === null) throw new Error("The collector is not started.")
    return this.#process
  }

  /** Stops it gracefully, which flushes everything. */
  async stop(): Promise<void> {
    await drain(this.process)
    this.#process = null
  }

  /** Sends items to a running process and expects that all are accepted. */
  static async post(url: string, items: ReadonlyArray<object>): Promise<void> {
    const response = await fetch(`${url}/api/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": FIREFOX },
      body: JSON.stringify(items)
    })
    const answer = (await response.json()) as { readonly processed: number; readonly errors: number }
    if (response.status !== 200 || answer.processed !== items.length || answer.errors !== 0) {
      throw new Error(`Not every event was accepted: ${JSON.stringify(answer)}`)
    }
  }

  /** Sends this many events of the benchmarks' mix. */
  async send(count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += BATCH) {
      const items = Array.from({ length: Math.min(BATCH, count - sent) }, () => event(this.#random, SITE))
      await LakeCollector.post(this.process.url, items)
      this.events += items.length
    }
  }

  /** Sends one odd event of each kind; two of them are identities. */
  async sendOdd(): Promise<void> {
    const items = oddEvents()
    await LakeCollector.post(this.process.url, items)
    this.events += items.length - 2
  }

  /** The result of `footfall lake … --json`, run alongside the collector. */
  lake(...args: ReadonlyArray<string>): Promise<unknown> {
    return this.#lake.lake(args)
  }

  /** A table's name in SQL: `namespace.table`. */
  static table(name: LakeTableName): string {
    return `${NAMESPACE}.${name}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.kill()
    await dropDatabase(this.name)
    await emptyLake(`${this.name}/`)
    await this.#lake[Symbol.asyncDispose]()
  }
}
