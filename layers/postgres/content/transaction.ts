import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { CONTENT_LOCK } from "../client/advisoryLocks.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { runChange } from "../client/runStatement.ts"

/**
 * Runs statements in a transaction that no other change of saved content overlaps. Failures of their own roll it back and pass; the
 * database's become `unavailable`.
 */
export const contentTransaction = <A, X, E>(
  sql: DatabaseClient,
  statements: Effect.Effect<A, X>,
  unavailable: (message: string) => E
): Effect.Effect<A, E | Exclude<X, SqlError.SqlError>> =>
  runChange(
    sql.withTransaction(Effect.andThen(sql.unsafe("SELECT pg_advisory_xact_lock($1)", [CONTENT_LOCK]), statements)),
    unavailable
  ) as Effect.Effect<A, E | Exclude<X, SqlError.SqlError>>
