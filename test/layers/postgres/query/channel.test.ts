import { beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Redacted } from "effect"
import { MIGRATIONS } from "../../../../layers/postgres/client/migrate.ts"
import { CHANNEL_VERSION, CHANNELS } from "../../../../src/query/channel/channel.ts"
import { channelMigration } from "../../../../src/query/channel/channelMigration.ts"
import { CHANNEL_CASES } from "../../../query/channelCases.ts"
import { event } from "../../../support/collect/records.ts"
import { run } from "../../../support/postgres/controlPlane.ts"
import { emptiedDatabase, openStorage } from "../../../support/postgres/pgStorage.ts"
import { openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

let database: Redacted.Redacted<string>
beforeAll(async () => {
  database = await Effect.runPromise(emptiedDatabase)
})

test("v_pa_events has the channel of each event, by every rule", () =>
  run(
    Effect.gen(function* () {
      const sql = yield* openClient(database, 1)
      const storage = yield* openStorage(database)
      const expected = CHANNEL_CASES.flatMap(([channel, sources]) =>
        sources.map((source) => ({ channel, source, record: event(source) }))
      )
      yield* Effect.forEach(expected, ({ record }) => storage.saveEvent(record), { concurrency: "unbounded" })
      const rows = yield* sql.unsafe<{ id: string; channel: string }>("SELECT id, channel FROM v_pa_events")
      const found = new Map(rows.map(({ channel, id }) => [id, channel]))
      expect(expected.map(({ record, source }) => [source, found.get(record.id)])).toEqual(
        expected.map(({ channel, source }) => [source, channel])
      )
    })
  ))

test("every channel that the rules can give has a case", () => {
  expect(new Set(CHANNEL_CASES.map(([channel]) => channel))).toEqual(new Set(CHANNELS))
})

test("the newest migration of the channels installs the rules of src/query/channel", () =>
  run(
    Effect.gen(function* () {
      const sql = yield* openClient(database, 1)
      expect(yield* sql.unsafe("SELECT product_analytics_channel_version() AS version")).toEqual([
        { version: CHANNEL_VERSION }
      ])
      const newest = MIGRATIONS.findLast(({ name }) => name.endsWith("_channels"))!
      const file = readFileSync(join(import.meta.dir, `../../../../migrations/${newest.name}.sql`), "utf8")
      expect(file.trim()).toBe(channelMigration().trim())
    })
  ))
