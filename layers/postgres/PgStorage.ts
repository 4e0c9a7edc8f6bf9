import { Clock, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { EventRecord, IdentityRecord, SessionRecord } from "../../src/domain/Event.ts"
import { StorageError } from "../../src/domain/StorageError.ts"
import {
  STORAGE_BATCH_SIZE,
  STORAGE_IN_FLIGHT,
  STORAGE_QUEUE_BYTES,
  STORAGE_QUEUE_EVENTS,
  STORAGE_TIMEOUT_SECONDS
} from "../../src/domain/settings.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { Storage } from "../../src/ports/Storage.ts"
import { WriterDatabase } from "./Database.ts"
import { sqlMessage } from "./sqlErrors.ts"
import { Backlog } from "./storage/Backlog.ts"
import {
  encodeEvents,
  encodeIdentities,
  eventSize,
  INSERT_EVENTS,
  identitySize,
  UPSERT_IDENTITIES
} from "./storage/batch.ts"
import { type GroupCommitOptions, makeGroupCommit } from "./storage/GroupCommit.ts"
import { makeMonths } from "./storage/months.ts"
import { StoredSessions } from "./storage/StoredSessions.ts"

/** The port's promise. */
const PING_TIMEOUT = "2 seconds"

const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

/**
 * Events in the app database. A record is answered when its transaction is committed and flushed to disk. Events are written
 * in `STORAGE_IN_FLIGHT` batches at a time, identities in one, so that the last value of an attribute is the last one given.
 * Takes `STORAGE_IN_FLIGHT` + 1 connections.
 */
export const PgStorage: Layer.Layer<Storage, never, WriterDatabase | Settings> = Layer.effect(
  Storage,
  Effect.gen(function* () {
    const sql = yield* WriterDatabase
    const { get } = yield* Settings
    const clock = yield* Clock.Clock
    const backlog = new Backlog(get(STORAGE_QUEUE_EVENTS), get(STORAGE_QUEUE_BYTES))
    const stored = new StoredSessions()
    const months = makeMonths(sql)
    const now = () => clock.currentTimeMillisUnsafe()

    let lastSuccessAt: number | null = null
    let lastError: { readonly at: number; readonly message: string } | null = null
    // From a failure that is not of a record's making until the next success.
    let failing = false
    const onOutcome: GroupCommitOptions<unknown>["onOutcome"] = (outcome) => {
      if (outcome === "success") {
        lastSuccessAt = now()
        failing = false
      } else {
        lastError = { at: now(), message: outcome.message }
        failing ||= !outcome.ofRecord
      }
    }

    /** One statement, its own transaction; the sessions in it count as stored once it is committed. */
    const write = (
      statement: string,
      {
        parameters,
        sessions
      }: { readonly parameters: ReadonlyArray<string>; readonly sessions: ReadonlyArray<SessionRecord> }
    ): Effect.Effect<void, SqlError.SqlError> => {
      const insert = Effect.map(sql.unsafe(statement, parameters), () => {
        for (const session of sessions) stored.add(session.id)
      })
      const before = months.before(now())
      return before === null ? insert : Effect.andThen(before, insert)
    }

    const limits = {
      batchSize: get(STORAGE_BATCH_SIZE),
      timeoutMs: get(STORAGE_TIMEOUT_SECONDS) * 1_000,
      onOutcome
    }
    const events = yield* makeGroupCommit<EventRecord>(backlog, {
      ...limits,
      inFlight: get(STORAGE_IN_FLIGHT),
      write: (records) =>
        write(
          INSERT_EVENTS,
          encodeEvents(records, (id) => stored.has(id))
        )
    })
    const identities = yield* makeGroupCommit<IdentityRecord>(backlog, {
      ...limits,
      inFlight: 1,
      write: (records) => write(UPSERT_IDENTITIES, encodeIdentities(records))
    })
    yield* months.before(now()) ?? Effect.void

    const ping = sql
      .unsafe<{ readonly read_only: string }>("SELECT current_setting('transaction_read_only') AS read_only")
      .pipe(
        Effect.mapError((error) => unavailable(sqlMessage(error))),
        Effect.flatMap((rows) =>
          rows[0]?.read_only === "off" ? Effect.void : Effect.fail(unavailable("The database is read-only."))
        ),
        Effect.timeoutOrElse({
          duration: PING_TIMEOUT,
          orElse: () => Effect.fail(unavailable(`The database does not answer within ${PING_TIMEOUT}.`))
        }),
        Effect.tap(() =>
          Effect.sync(() => {
            failing = false
          })
        )
      )

    return Storage.of({
      saveEvent: (record) => events.save(record, eventSize(record)),
      saveIdentity: (record) => identities.save(record, identitySize(record)),
      flush: backlog.flush,
      ping,
      status: Effect.sync(() => ({
        backend: "postgres",
        ready: !failing && backlog.hasRoom(0),
        pendingRecords: backlog.records,
        pendingBytes: backlog.bytes,
        inFlight: events.inFlight() + identities.inFlight(),
        lastSuccessAt,
        lastErrorAt: lastError?.at ?? null,
        lastError: lastError?.message ?? null
      }))
    })
  })
)
