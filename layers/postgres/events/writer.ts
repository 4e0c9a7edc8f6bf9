import type { PgTypes } from "@effect/sql-pg"
import { type Clock, Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { EventRecord, IdentityRecord, SessionRecord } from "../../../src/domain/Event.ts"
import { StoredSessions } from "../../inprocess/StoredSessions.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { sqlCode } from "../client/sqlErrors.ts"
import {
  eventParameters,
  eventRows,
  INSERT_EVENTS,
  INSERT_EVENTS_AGAIN,
  identityParameters,
  identityRows,
  type StoreRow,
  UNIQUE_VIOLATION,
  UPSERT_IDENTITIES
} from "./batch.ts"
import { makeMonths } from "./months.ts"
import { makeRowTypes, type RowParameter } from "./rowTypes.ts"

/** The sessions that are stored in the database that the batches go to. What is known about another database does not count. */
class KnownSessions {
  readonly #stored = new StoredSessions()
  readonly #losses: () => number
  #lossesSeen = 0
  /** What the last batch was written to. */
  store: string | null = null

  constructor(losses: () => number) {
    this.#losses = losses
  }

  has(id: string, start: number, now: number): boolean {
    const losses = this.#losses()
    if (losses !== this.#lossesSeen) {
      this.#lossesSeen = losses
      this.#stored.clear()
    }
    return this.#stored.has(id, start, now)
  }

  /** The sessions were committed to this store. */
  add(sessions: ReadonlyArray<SessionRecord>, store: string, now: number): void {
    if (store !== this.store) {
      this.store = store
      this.#stored.clear()
    }
    for (const { createdAt, id } of sessions) this.#stored.add(id, createdAt, now)
  }
}

/** Writes batches of records, each in one statement, which is its own transaction. */
export const makeWriter = (sql: DatabaseClient, clock: Clock.Clock) => {
  const known = new KnownSessions(sql.losses)
  const months = makeMonths(sql)
  const rowTypes = makeRowTypes(sql)

  /** Returns what the batch was written to. */
  const write = (
    statement: string,
    sessions: ReadonlyArray<SessionRecord>,
    parameters: (parameter: RowParameter) => ReadonlyArray<PgTypes.Parameter | string>
  ): Effect.Effect<string, SqlError.SqlError> => {
    const insert = Effect.map(
      rowTypes.use((parameter) => sql.unsafe<StoreRow>(statement, parameters(parameter))),
      ([row]) => {
        const store = row?.store ?? ""
        // Only after the commit, so that a failed batch sends its sessions again.
        known.add(sessions, store, clock.currentTimeMillisUnsafe())
        return store
      }
    )
    const before = months.before(clock.currentTimeMillisUnsafe())
    return before === null ? insert : Effect.andThen(before, insert)
  }

  const insertEvents = (records: ReadonlyArray<EventRecord>, isKnown: (id: string, start: number) => boolean) => {
    const rows = eventRows(records, isKnown)
    const insert = (statement: string) =>
      write(statement, rows.sessions, (parameter) => eventParameters(rows, parameter))
    return Effect.map(
      Effect.catchIf(
        insert(INSERT_EVENTS),
        (error) => sqlCode(error) === UNIQUE_VIOLATION,
        () => insert(INSERT_EVENTS_AGAIN)
      ),
      (store) => ({ store, omitsSessions: rows.omitsSessions })
    )
  }

  return {
    /** Creates the partitions that the first write needs. */
    prepare: Effect.suspend(() => months.before(clock.currentTimeMillisUnsafe()) ?? Effect.void),
    writeEvents: (records: ReadonlyArray<EventRecord>): Effect.Effect<void, SqlError.SqlError> => {
      const now = clock.currentTimeMillisUnsafe()
      const expected = known.store
      return Effect.flatMap(
        insertEvents(records, (id, start) => known.has(id, start, now)),
        ({ omitsSessions, store }) =>
          // The omitted sessions are stored elsewhere: write the batch again with all of them, before it is acknowledged.
          omitsSessions && store !== expected ? Effect.asVoid(insertEvents(records, () => false)) : Effect.void
      )
    },
    writeIdentities: (records: ReadonlyArray<IdentityRecord>): Effect.Effect<void, SqlError.SqlError> => {
      const rows = identityRows(records)
      return Effect.asVoid(write(UPSERT_IDENTITIES, rows.sessions, (parameter) => identityParameters(rows, parameter)))
    }
  }
}
