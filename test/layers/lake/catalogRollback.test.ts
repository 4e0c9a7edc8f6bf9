import { expect, setDefaultTimeout, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, Redacted, type Scope } from "effect"
import type { Catalog } from "../../../layers/iceberg/catalog/Catalog.ts"
import { makeJdbcCatalog } from "../../../layers/iceberg/catalog/jdbc/JdbcCatalog.ts"
import { makeLocalObjectStore } from "../../../layers/iceberg/io/LocalObjectStore.ts"
import { localPathOf } from "../../../layers/iceberg/io/location.ts"
import { recoverTable } from "../../../layers/iceberg/maintenance/recover.ts"
import { verifyTable } from "../../../layers/iceberg/maintenance/verify.ts"
import { jdbcClient } from "../../../layers/lake/jdbcClient.ts"
import { probeLake } from "../../../layers/lake/probeLake.ts"
import { encodeEvent } from "../../../layers/lake/records.ts"
import { makeLakeWriter, type ReconcileEvents, type WriteEvents } from "../../../layers/lake/writer/LakeWriter.ts"
import { openSpool, type Spool } from "../../../layers/spool/Spool.ts"
import { event } from "../../support/collect/records.ts"
import { readLakeTable } from "../../support/lake/lakeStorage.ts"
import { appendEvents, EVENTS_NAME, NAMESPACE } from "../../support/lake/lakeTables.ts"
import { connect } from "../../support/postgres/database.ts"
import { emptyDatabase, openClient, temporaryFolder } from "../../support/postgres/postgres.ts"

setDefaultTimeout(180_000)

const EVENTS: WriteEvents & ReconcileEvents = {
  onConflict: () => {},
  onUnknown: () => {},
  onDamage: () => {},
  onCommitted: () => {},
  onRolledBack: () => {}
}
const SMALL = { maxPending: 1_000, maxBytes: 2 ** 24, timeoutMs: 10_000, segmentBytes: 16_384 }
const verified = (catalog: Catalog) => verifyTable(catalog, EVENTS_NAME, { onProgress: () => {} })

/** A lake with a jdbc catalog, and a spool whose records are in it and trimmed, up to each of a number of flushes. */
const makeLake = Effect.gen(function* () {
  const url = yield* Effect.promise(emptyDatabase)
  const sql = yield* Effect.acquireRelease(
    Effect.promise(() => connect(Redacted.value(url))),
    (connection) => Effect.promise(() => connection[Symbol.asyncDispose]())
  )
  const warehouse = pathToFileURL(temporaryFolder()).href
  const open = Effect.gen(function* () {
    const client = jdbcClient(yield* openClient(url, 2))
    return yield* makeJdbcCatalog({ client, name: "lake", warehouse, store: yield* makeLocalObjectStore(warehouse) })
  })
  const catalog = yield* open
  const folder = join(temporaryFolder(), "spool")
  const spool: Spool = yield* openSpool({ ...SMALL, folder })
  let writer = makeLakeWriter({ catalog, namespace: NAMESPACE })
  let oldest = spool.oldest
  const ref = () => ({ id: spool.id, folder, oldest })
  const saved: Array<string> = []
  const save = Effect.gen(function* () {
    for (let index = 0; index < 60; index++) {
      const record = event()
      saved.push(record.id)
      yield* spool.append(encodeEvent(record, null, Date.now()))
    }
  })
  const flush = Effect.gen(function* () {
    const written = yield* writer.write({ spool: ref(), upTo: spool.durable() }, EVENTS)
    yield* spool.trim(written.position)
    return written.receipt ?? null
  })
  /** As another process would open the spool, with the receipt in its folder. */
  const reopen = (receipt: string | null) =>
    Effect.gen(function* () {
      oldest = spool.durable()
      writer = makeLakeWriter({ catalog: yield* open, namespace: NAMESPACE })
      const openings = [{ position: spool.durable(), at: Date.now() }]
      yield* writer.reconcile({ id: spool.id, openings, receipt }, EVENTS)
    })
  const pointer = catalog.pointers!.read(EVENTS_NAME)
  const pointTo = (location: string) =>
    Effect.promise(() =>
      sql.query("UPDATE iceberg_tables SET metadata_location = $1 WHERE table_name = 'pa_events'", [location])
    )
  const ids = Effect.map(readLakeTable({ catalog, namespace: NAMESPACE }, "pa_events"), (rows) =>
    rows.map((row) => String(row["event_id"])).sort()
  )
  const probe = Effect.scoped(
    probeLake({
      catalogType: "jdbc",
      catalogName: "lake",
      namespace: NAMESPACE,
      warehouse,
      catalogUri: null,
      catalogCredentials: null,
      oauth2ServerUri: null,
      oauth2Scope: "catalog",
      signingName: "execute-api",
      s3Endpoint: null,
      region: null,
      keys: null,
      databaseUrl: Redacted.value(url)
    })
  )
  return { catalog, probe, save, flush, reopen, pointer, pointTo, ids, saved }
})

const run = <A>(effect: Effect.Effect<A, unknown, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(effect))

test("a catalog that is rolled back under a running collector stops its flushes, and recovering it loses no event", () =>
  run(
    Effect.gen(function* () {
      const { catalog, flush, ids, pointTo, pointer, probe, save, saved } = yield* makeLake
      yield* Effect.andThen(save, flush)
      const old = yield* pointer
      for (let index = 0; index < 3; index++) yield* Effect.andThen(save, flush)
      const newest = yield* pointer
      expect((yield* verified(catalog)).problems).toEqual([])
      yield* pointTo(old)

      yield* save
      yield* Effect.flip(flush)
      const failed = yield* Effect.flip(flush)
      expect(failed.reason).toBe("Invalid")
      expect(failed.message).toContain(`is ${newest}. Run`)
      expect((yield* verified(catalog)).problems).toEqual([
        `pa_events: the catalog names ${old}, but the newest metadata of the table is ${newest}: the catalog was rolled back`
      ])

      const found = (yield* probe).find(({ part }) => part === "pa_events")
      expect(found?.state).toBe("bad")
      expect(found?.message).toContain(`but the newest metadata is ${newest}. Run`)

      const options = { dryRun: true, force: false }
      expect(yield* recoverTable(catalog, EVENTS_NAME, options)).toEqual({
        from: old,
        isFromMissing: false,
        to: newest,
        rowsBefore: 60,
        rowsAfter: 240,
        refused: null
      })
      expect(yield* pointer).toBe(old)
      yield* recoverTable(catalog, EVENTS_NAME, { ...options, dryRun: false })
      expect(yield* pointer).toBe(newest)
      yield* flush
      expect(yield* ids).toEqual(saved.toSorted())
      expect((yield* verified(catalog)).problems).toEqual([])
    })
  ))

test("a catalog that was rolled back while a collector was down is noticed when its spool is opened again", () =>
  run(
    Effect.gen(function* () {
      const { flush, pointTo, pointer, reopen, save } = yield* makeLake
      yield* Effect.andThen(save, flush)
      const old = yield* pointer
      yield* save
      const receipt = yield* flush
      const newest = yield* pointer
      yield* reopen(receipt)
      yield* pointTo(old)
      const failed = yield* Effect.flip(reopen(receipt))
      expect(failed.message).toContain(newest)
      // Without a receipt, as in an older version's folder, nothing is known.
      yield* reopen(null)
    })
  ))

test("a rolled back table whose newer metadata is gone, too, takes new events", () =>
  run(
    Effect.gen(function* () {
      const { flush, ids, pointTo, pointer, save, saved } = yield* makeLake
      yield* Effect.andThen(save, flush)
      const old = yield* pointer
      yield* Effect.andThen(save, flush)
      rmSync(localPathOf(yield* pointer)!)
      yield* pointTo(old)
      yield* save
      yield* Effect.flip(flush)
      yield* flush
      const stored = new Set(yield* ids)
      expect(saved.slice(0, 60).every((id) => stored.has(id))).toBe(true)
      expect(saved.slice(120).every((id) => stored.has(id))).toBe(true)
    })
  ))

test("a pointer to a missing file is repaired", () =>
  run(
    Effect.gen(function* () {
      const { catalog, flush, ids, pointTo, pointer, save, saved } = yield* makeLake
      yield* Effect.andThen(save, flush)
      const newest = yield* pointer
      yield* pointTo(newest.replace(/\d{5}-[^/]*$/, "00000-gone.metadata.json"))
      expect((yield* Effect.flip(catalog.load(EVENTS_NAME))).reason).toBe("Invalid")
      const recovered = yield* recoverTable(catalog, EVENTS_NAME, { dryRun: false, force: false })
      expect(recovered).toMatchObject({ isFromMissing: true, to: newest, rowsBefore: null, rowsAfter: 60 })
      expect(yield* ids).toEqual(saved.toSorted())
    })
  ))

test("commits that were made after a rollback are abandoned only by force", () =>
  run(
    Effect.gen(function* () {
      const { catalog, flush, pointTo, pointer, save } = yield* makeLake
      yield* Effect.andThen(save, flush)
      const old = yield* pointer
      for (let index = 0; index < 3; index++) yield* Effect.andThen(save, flush)
      const newest = yield* pointer
      yield* pointTo(old)
      yield* appendEvents(catalog, { log: "log-b", day: 20_000, count: 5 })
      const fork = yield* pointer
      const refused = yield* recoverTable(catalog, EVENTS_NAME, { dryRun: false, force: false })
      expect(refused).toMatchObject({ from: fork, to: newest, rowsBefore: 65, rowsAfter: 240 })
      expect(refused.refused).toContain(`has commits that are not in ${newest}`)
      expect(yield* pointer).toBe(fork)
      yield* recoverTable(catalog, EVENTS_NAME, { dryRun: false, force: true })
      expect(yield* pointer).toBe(newest)
    })
  ))
