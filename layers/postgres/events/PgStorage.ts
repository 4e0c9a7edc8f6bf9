import { Clock, Effect, Layer } from "effect"
import type { EventRecord, IdentityRecord } from "../../../src/domain/Event.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import {
  STORAGE_BATCH_SIZE,
  STORAGE_IN_FLIGHT,
  STORAGE_QUEUE_BYTES,
  STORAGE_QUEUE_EVENTS,
  STORAGE_TIMEOUT_SECONDS
} from "../../../src/settings/settings.ts"
import { Backlog } from "../../inprocess/Backlog.ts"
import { WriterDatabase } from "../client/Database.ts"
import { eventSize, identitySize } from "./batch.ts"
import { makeGroupCommit } from "./GroupCommit.ts"
import { Health } from "./Health.ts"
import { poolSize } from "./metrics.ts"
import { makeWriter } from "./writer.ts"

/**
 * Stores events in the app database. A record is acknowledged when its transaction is committed and on the server's disk. Up to
 * `STORAGE_IN_FLIGHT` batches of events are written at the same time, but only one of identities, so that the last
 * value sent for an attribute is the one that stays. Uses `STORAGE_IN_FLIGHT` + 1 connections.
 */
export const layer: Layer.Layer<Storage, never, WriterDatabase | Settings> = Layer.effect(
  Storage,
  Effect.gen(function* () {
    const sql = yield* WriterDatabase
    const { get } = yield* Settings
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    const timeoutMs = get(STORAGE_TIMEOUT_SECONDS) * 1_000
    const backlog = new Backlog(get(STORAGE_QUEUE_EVENTS), get(STORAGE_QUEUE_BYTES))
    const health = new Health(clock, context, timeoutMs)
    const { prepare, writeEvents, writeIdentities } = makeWriter(sql, clock)

    const options = { batchSize: get(STORAGE_BATCH_SIZE), timeoutMs, onOutcome: health.onOutcome }
    const events = yield* makeGroupCommit<EventRecord>(backlog, {
      ...options,
      inFlight: get(STORAGE_IN_FLIGHT),
      write: writeEvents
    })
    const identities = yield* makeGroupCommit<IdentityRecord>(backlog, {
      ...options,
      inFlight: 1,
      write: writeIdentities
    })
    yield* prepare
    poolSize.updateUnsafe(get(STORAGE_IN_FLIGHT) + 1, context)

    return Storage.of({
      saveEvent: (record) => events.save(record, eventSize(record)),
      saveIdentity: (record) => identities.save(record, identitySize(record)),
      flush: backlog.flush,
      ping: health.ping(sql),
      status: Effect.sync(() => ({
        backend: "postgres",
        ready: health.isHealthy && backlog.hasRoom(0),
        pendingRecords: backlog.records,
        pendingBytes: backlog.bytes,
        inFlight: events.inFlight() + identities.inFlight(),
        lastSuccessAt: health.lastSuccessAt,
        lastErrorAt: health.lastError?.at ?? null,
        lastError: health.lastError?.message ?? null
      }))
    })
  })
)
