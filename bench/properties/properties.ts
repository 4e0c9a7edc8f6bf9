import { Context, Effect, Exit, Layer, Redacted, References } from "effect"
import { recordingProperties } from "../../layers/inprocess/recordingProperties.ts"
import { SeenProperties } from "../../layers/inprocess/SeenProperties.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { addProperties, countProperties } from "../../layers/postgres/metadata/propertyRows.ts"
import type { EventRecord } from "../../src/domain/Event.ts"
import { callbackEffect, runDirect } from "../../src/lib/callbackEffect.ts"
import type { Storage } from "../../src/ports/Storage.ts"
import { records } from "../storage/records.ts"
import type { Case } from "../support/Bench.ts"
import { median, microseconds } from "../support/report.ts"

/** What an event takes in the whole pipeline, in us (`pipeline-cpu`). */
const PIPELINE_US = 40
const KEYS = 1_000

const storage: Storage["Service"] = {
  saveEvent: () => callbackEffect((resume) => resume(Exit.void)),
  saveIdentity: () => Effect.void,
  flush: Effect.void,
  ping: Effect.void,
  status: Effect.die("not used")
}

/** CPU time in us per event of saving the records many times. */
const cpuPerEvent = (to: Storage["Service"], events: ReadonlyArray<EventRecord>, times: number): number => {
  const before = process.cpuUsage()
  for (let round = 0; round < times; round++) {
    for (const event of events) runDirect(to.saveEvent(event), Effect.runFork, () => {})
  }
  const { system, user } = process.cpuUsage(before)
  return (user + system) / (events.length * times)
}

/** Time in ms of writing the counts of a site's keys. */
const writeCounts = (url: string, events: ReadonlyArray<EventRecord>) =>
  Effect.gen(function* () {
    const seen = new SeenProperties()
    const sql = Context.get(
      yield* Layer.build(
        AppDatabase.layer.pipe(Layer.provide(Layer.succeed(DatabaseUrl, { url: Redacted.make(url), embedded: false })))
      ),
      AppDatabase
    )
    const event = events[0]!
    const note = () => {
      for (let key = 0; key < KEYS; key++) {
        seen.event({ ...event, properties: [{ ...event.properties[0]!, key: `key ${key}` }] })
      }
      return seen.changes(true)
    }
    const news = note()
    yield* addProperties(sql, news)
    seen.confirm(news)
    const changes = note()
    const before = process.cpuUsage()
    yield* countProperties(sql, changes)
    const { system, user } = process.cpuUsage(before)
    yield* sql.unsafe("DELETE FROM product_analytics_property WHERE site_id = $1::uuid", [event.siteId])
    return (user + system) / 1_000
  }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Warn"))

export const properties: Case = async ({ databaseUrl, short }) => {
  const events = records(500, Date.now()).filter(({ properties: all }) => all.length > 0)
  const seen = new SeenProperties()
  const recording = recordingProperties(storage, {
    event: (record) => seen.event(record),
    identity: (record) => seen.identity(record)
  })
  const times = short ? 1_000 : 10_000
  const differences: Array<number> = []
  for (let round = 0; round < 5; round++) {
    differences.push(cpuPerEvent(recording, events, times) - cpuPerEvent(storage, events, times))
  }
  const each = median(differences.slice(1))
  const counts = await Effect.runPromise(writeCounts(databaseUrl, events))
  return [
    {
      what: "properties: noting the three of a custom event",
      value: `${Math.round(each * 1_000)} ns`,
      against: `the whole pipeline: ${microseconds(PIPELINE_US)}`,
      ratio: each / PIPELINE_US,
      goal: "at most 2 us",
      met: each <= 2
    },
    {
      what: `properties: CPU of writing the counts of ${KEYS} keys, once a minute`,
      value: `${counts.toFixed(1)} ms`,
      against: null,
      ratio: null,
      goal: "at most 500 ms",
      met: counts <= 500
    }
  ]
}
