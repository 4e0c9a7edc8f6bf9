import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect, type Scope } from "effect"
import * as WriterRegistry from "../../../layers/forward/WriterRegistry.ts"
import type { DatabaseClient } from "../../../layers/postgres/client/makeClient.ts"
import { run } from "../../support/postgres/controlPlane.ts"
import { emptiedDatabase } from "../../support/postgres/pgStorage.ts"
import { openClient } from "../../support/postgres/postgres.ts"

setDefaultTimeout(180_000)

const FIRST = "00000000-0000-4000-8000-000000000001"
const SECOND = "00000000-0000-4000-8000-000000000002"
const SUCCESS_AT = Date.UTC(2026, 10, 28, 12)

const stateOf = (spoolId: string, backlogBytes = 500) => ({
  spoolId,
  host: "host-1",
  folder: "/spool/0",
  backlogBytes,
  lastSuccessAt: SUCCESS_AT,
  failure: null
})

const check = (body: (sql: DatabaseClient) => Effect.Effect<void, unknown, Scope.Scope>) =>
  run(
    Effect.gen(function* () {
      const sql = yield* openClient(yield* emptiedDatabase)
      yield* sql.unsafe("DELETE FROM product_analytics_lake_writer")
      yield* body(sql)
    })
  )

/** Makes the collector's last report this old. */
const age = (sql: DatabaseClient, spoolId: string, interval: string) =>
  sql.unsafe(`UPDATE product_analytics_lake_writer SET seen_at = now() - interval '${interval}' WHERE log_id = $1`, [
    spoolId
  ])

test("a collector is listed with its last report, and as not running once it has not reported for 20 seconds", () =>
  check((sql) =>
    Effect.gen(function* () {
      yield* WriterRegistry.report(sql, { ...stateOf(FIRST), failure: "The bucket is unreachable." })
      yield* WriterRegistry.report(sql, { ...stateOf(FIRST, 700), failure: "The bucket is unreachable." })
      expect(yield* WriterRegistry.list(sql)).toEqual([
        {
          spoolId: FIRST,
          host: "host-1",
          folder: "/spool/0",
          seenAt: expect.any(Date),
          isRunning: true,
          backlogBytes: 700,
          lastSuccessAt: new Date(SUCCESS_AT),
          failure: "The bucket is unreachable."
        }
      ])
      yield* age(sql, FIRST, "21 seconds")
      expect((yield* WriterRegistry.list(sql)).map(({ isRunning }) => isRunning)).toEqual([false])
    })
  ))

test("a requested flush is reported to each running collector until it has flushed", () =>
  check((sql) =>
    Effect.gen(function* () {
      for (const spoolId of [FIRST, SECOND]) {
        expect(yield* WriterRegistry.report(sql, stateOf(spoolId))).toBe(false)
      }
      yield* age(sql, SECOND, "1 minute")
      expect(yield* WriterRegistry.requestFlush(sql)).toEqual([FIRST])
      expect(yield* WriterRegistry.flushedSince(sql, [FIRST])).toEqual([])
      expect(yield* WriterRegistry.report(sql, stateOf(FIRST))).toBe(true)
      yield* WriterRegistry.reportFlushed(sql, stateOf(FIRST, 0))
      expect(yield* WriterRegistry.flushedSince(sql, [FIRST, SECOND])).toEqual([FIRST])
      expect(yield* WriterRegistry.report(sql, stateOf(FIRST))).toBe(false)
    })
  ))

test("a collector that stops is removed if it left nothing, and listed as not running otherwise", () =>
  check((sql) =>
    Effect.gen(function* () {
      for (const spoolId of [FIRST, SECOND]) yield* WriterRegistry.report(sql, stateOf(spoolId))
      yield* WriterRegistry.reportStopped(sql, FIRST, 0)
      yield* WriterRegistry.reportStopped(sql, SECOND, 300)
      expect(yield* WriterRegistry.list(sql)).toMatchObject([{ spoolId: SECOND, isRunning: false, backlogBytes: 300 }])
    })
  ))

test("collectors that are long gone are deleted only if they left nothing", () =>
  check((sql) =>
    Effect.gen(function* () {
      yield* WriterRegistry.report(sql, stateOf(FIRST, 0))
      yield* WriterRegistry.report(sql, stateOf(SECOND, 300))
      for (const spoolId of [FIRST, SECOND]) yield* age(sql, spoolId, "8 days")
      yield* WriterRegistry.deleteGone(sql)
      expect((yield* WriterRegistry.list(sql)).map(({ spoolId }) => spoolId)).toEqual([SECOND])
    })
  ))
