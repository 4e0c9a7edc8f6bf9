import type { PgClient, PgTypes } from "@effect/sql-pg"
import { type Clock, Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { EventRecord, IdentityRecord, SessionRecord } from "../../../src/domain/Event.ts"
import { StoredSessions } from "../../inprocess/StoredSessions.ts"
import { sqlCode } from "../client/sqlErrors.ts"
import {
  eventParameters,
  eventRows,
  INSERT_EVENTS,
  INSERT_EVENTS_AGAIN,
  identityParameters,
  identityRows,
  UNIQUE_VIOLATION,
  UPSERT_IDENTITIES
} from "./batch.ts"
import { makeMonths } from "./months.ts"
import { makeRowTypes, type RowParameter } from "./rowTypes.ts"

/** Writes batches of records, each in one statement, which is its own transaction. */
export const makeWriter = (sql: PgClient.PgClient, clock: Clock.Clock) => {
  const stored = new StoredSessions()
  const months = makeMonths(sql)
  const rowTypes = makeRowTypes(sql)

  const write = (
    statement: string,
    sessions: ReadonlyArray<SessionRecord>,
    parameters: (parameter: RowParameter) => ReadonlyArray<PgTypes.Parameter>
  ): Effect.Effect<void, SqlError.SqlError> => {
    const insert = Effect.map(
      rowTypes.use((parameter) => sql.unsafe(statement, parameters(parameter))),
      () => {
        // Only after the commit, so that a failed batch sends its sessions again.
        for (const session of sessions) stored.add(session.id, session.createdAt)
      }
    )
    const before = months.before(clock.currentTimeMillisUnsafe())
    return before === null ? insert : Effect.andThen(before, insert)
  }

  return {
    /** Creates the partitions that the first write needs. */
    prepare: Effect.suspend(() => months.before(clock.currentTimeMillisUnsafe()) ?? Effect.void),
    writeEvents: (records: ReadonlyArray<EventRecord>): Effect.Effect<void, SqlError.SqlError> => {
      const rows = eventRows(records, (id, start) => stored.has(id, start))
      const insert = (statement: string) =>
        write(statement, rows.sessions, (parameter) => eventParameters(rows, parameter))
      return Effect.catchIf(
        insert(INSERT_EVENTS),
        (error) => sqlCode(error) === UNIQUE_VIOLATION,
        () => insert(INSERT_EVENTS_AGAIN)
      )
    },
    writeIdentities: (records: ReadonlyArray<IdentityRecord>): Effect.Effect<void, SqlError.SqlError> => {
      const rows = identityRows(records)
      return write(UPSERT_IDENTITIES, rows.sessions, (parameter) => identityParameters(rows, parameter))
    }
  }
}
