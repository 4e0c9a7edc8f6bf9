import type { PgTypes } from "@effect/sql-pg"
import { Clock, type Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { EventRecord, IdentityRecord, SessionRecord } from "../../../src/domain/Event.ts"
import { StorageError } from "../../../src/domain/StorageError.ts"
import { deadline } from "../../../src/lib/deadline.ts"
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
import { StoredSessions } from "../../inprocess/StoredSessions.ts"
import { WriterDatabase } from "../client/Database.ts"
import { sqlCode, sqlMessage } from "../client/sqlErrors.ts"
import {
  eventParameters,
  eventRows,
  eventSize,
  INSERT_EVENTS,
  INSERT_EVENTS_AGAIN,
  identityParameters,
  identityRows,
  identitySize,
  UNIQUE_VIOLATION,
  UPSERT_IDENTITIES
} from "./batch.ts"
import { makeGroupCommit, type Outcome } from "./GroupCommit.ts"
import { batchRecords, commitSeconds, failedWrites, poolSize } from "./metrics.ts"
import { makeMonths } from "./months.ts"
import { makeRowTypes, type RowParameter } from "./rows.ts"

/** The port's promise. */
const PING_TIMEOUT = "2 seconds"
/** How long a failed write counts beyond the deadline of the next one, which would be the next to tell. */
const FAILURE_COUNTS_MS = 1_000

const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

/**
 * Events in the app database. A record is answered when its transaction is committed and flushed to disk. Events are written
 * in `STORAGE_IN_FLIGHT` batches at a time, identities in one, so that the last value of an attribute is the last one given.
 * Takes `STORAGE_IN_FLIGHT` + 1 connections.
 */
export const layer: Layer.Layer<Storage, never, WriterDatabase | Settings> = Layer.effect(
  Storage,
  Effect.gen(function* () {
    const sql = yield* WriterDatabase
    const { get } = yield* Settings
    const clock = yield* Clock.Clock
    const context: Context.Context<never> = yield* Effect.context<never>()
    const backlog = new Backlog(get(STORAGE_QUEUE_EVENTS), get(STORAGE_QUEUE_BYTES))
    const stored = new StoredSessions()
    const months = makeMonths(sql)
    const now = () => clock.currentTimeMillisUnsafe()
    const monotonic = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

    let lastSuccessAt: number | null = null
    let lastError: { readonly at: number; readonly message: string } | null = null
    // The last failure that is not of a record's making, until the next success. `since` is monotonic, in ms.
    let failure: { readonly since: number; readonly message: string } | null = null
    const onOutcome = (outcome: Outcome): void => {
      if (outcome._tag === "Stored") {
        batchRecords.updateUnsafe(outcome.records, context)
        commitSeconds.updateUnsafe(outcome.seconds, context)
        lastSuccessAt = now()
        failure = null
      } else {
        failedWrites.updateUnsafe(1, context)
        lastError = { at: now(), message: outcome.message }
        if (!outcome.ofRecord) failure = { since: monotonic(), message: outcome.message }
      }
    }

    const rowTypes = makeRowTypes(sql)
    /** One statement, its own transaction; the sessions in it count as stored once it is committed. */
    const write = (
      statement: string,
      sessions: ReadonlyArray<SessionRecord>,
      parameters: (parameter: RowParameter) => ReadonlyArray<PgTypes.Parameter>
    ): Effect.Effect<void, SqlError.SqlError> => {
      const insert = Effect.map(
        rowTypes.use((parameter) => sql.unsafe(statement, parameters(parameter))),
        () => {
          for (const session of sessions) stored.add(session.id)
        }
      )
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
      write: (records) => {
        const rows = eventRows(records, (id) => stored.has(id))
        const insert = (statement: string) =>
          write(statement, rows.sessions, (parameter) => eventParameters(rows, parameter))
        return Effect.catchIf(
          insert(INSERT_EVENTS),
          (error) => sqlCode(error) === UNIQUE_VIOLATION,
          () => insert(INSERT_EVENTS_AGAIN)
        )
      }
    })
    const identities = yield* makeGroupCommit<IdentityRecord>(backlog, {
      ...limits,
      inFlight: 1,
      write: (records) => {
        const rows = identityRows(records)
        return write(UPSERT_IDENTITIES, rows.sessions, (parameter) => identityParameters(rows, parameter))
      }
    })
    yield* months.before(now()) ?? Effect.void
    poolSize.updateUnsafe(get(STORAGE_IN_FLIGHT) + 1, context)

    const answers = sql
      .unsafe<{ readonly read_only: string }>("SELECT current_setting('transaction_read_only') AS read_only")
      .pipe(
        Effect.mapError((error) => unavailable(sqlMessage(error))),
        Effect.flatMap((rows) =>
          rows[0]?.read_only === "off" ? Effect.void : Effect.fail(unavailable("The database is read-only."))
        )
      )
    // A server that answers may be unable to store all the same, its disk being full. Only writes tell, so while they fail the
    // storage is not ready. Without any for a while it is taken to be: who goes by it sends the writes that tell.
    const ping = Effect.andThen(
      answers.pipe(
        deadline({
          duration: PING_TIMEOUT,
          orElse: () => Effect.fail(unavailable(`The database does not answer within ${PING_TIMEOUT}.`))
        })
      ),
      Effect.suspend(() => {
        if (failure !== null && monotonic() - failure.since < limits.timeoutMs + FAILURE_COUNTS_MS) {
          return Effect.fail(unavailable(failure.message))
        }
        failure = null
        return Effect.void
      })
    )

    return Storage.of({
      saveEvent: (record) => events.save(record, eventSize(record)),
      saveIdentity: (record) => identities.save(record, identitySize(record)),
      flush: backlog.flush,
      ping,
      status: Effect.sync(() => ({
        backend: "postgres",
        ready: failure === null && backlog.hasRoom(0),
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
