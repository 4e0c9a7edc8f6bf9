import { expect, setDefaultTimeout, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { makeCatalog } from "../../../layers/iceberg/catalog/makeCatalog.ts"
import { event, events, identity, saveAll, session, text } from "../../support/collect/records.ts"
import { eventually } from "../../support/eventually.ts"
import { folderLake, openLakeStorage, readLake, readLakeTable } from "../../support/lake/lakeStorage.ts"
import { run } from "../../support/postgres/controlPlane.ts"
import { emptiedDatabase } from "../../support/postgres/pgStorage.ts"

setDefaultTimeout(180_000)

const makeLake = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "footfall-lake-"))),
    (created) => Effect.sync(() => rmSync(created, { recursive: true, force: true }))
  )
  const warehouse = folderLake(folder)["PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE"]!
  const catalog = yield* Effect.orDie(makeCatalog({ type: "hadoop", warehouse }))
  const url = yield* emptiedDatabase
  return {
    lake: { catalog, namespace: ["product_analytics"] },
    open: (environment: Record<string, string> = {}) => openLakeStorage(url, { folder, environment })
  }
})

const INTERVAL = "PRODUCT_ANALYTICS_ICEBERG_FLUSH_INTERVAL_SECONDS"

test("events and identities reach the lake within the flush interval", () =>
  run(
    Effect.gen(function* () {
      const { lake, open } = yield* makeLake
      const storage = yield* open({ [INTERVAL]: "1" })
      yield* saveAll(storage, events(20))
      yield* eventually("20 events", async () => (await Effect.runPromise(readLake(lake))).events.length === 20)
      yield* storage.saveIdentity(identity(session(), [text("plan", "Team")]))
      yield* eventually("1 attribute", async () => (await Effect.runPromise(readLake(lake))).attributes.length === 1)
    })
  ))

test("accepted events are in the lake once after the process stops, and after it starts again", () =>
  run(
    Effect.gen(function* () {
      const { lake, open } = yield* makeLake
      const records = events(50)
      yield* Effect.scoped(Effect.flatMap(open(), (storage) => saveAll(storage, records)))
      expect((yield* readLakeTable(lake, "pa_events")).length).toBe(50)
      yield* Effect.scoped(Effect.flatMap(open(), (storage) => Effect.orDie(storage.flush)))
      expect((yield* readLakeTable(lake, "pa_events")).length).toBe(50)
    })
  ))

test("a session has one row, however many of its events arrive at once", () =>
  run(
    Effect.gen(function* () {
      const { lake, open } = yield* makeLake
      const storage = yield* open()
      const visitor = session()
      yield* saveAll(
        storage,
        Array.from({ length: 30 }, () => event({ session: visitor }))
      )
      yield* storage.flush
      expect((yield* readLakeTable(lake, "pa_sessions")).length).toBe(1)
      expect((yield* readLakeTable(lake, "pa_events")).length).toBe(30)
    })
  ))

test("received_at is unique and in the order of acceptance", () =>
  run(
    Effect.gen(function* () {
      const { lake, open } = yield* makeLake
      const storage = yield* open()
      const records = events(500)
      yield* saveAll(storage, records)
      yield* storage.flush
      const rows = yield* readLakeTable(lake, "pa_events")
      const order = rows.toSorted((a, b) => Number(a["received_at"]) - Number(b["received_at"]))
      expect(order.map((row) => row["event_id"] as string)).toEqual(records.map(({ id }) => id))
    })
  ))
