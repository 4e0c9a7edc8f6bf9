import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

const ASSERT_WRITABLE = `DO $$ BEGIN
  IF current_setting('transaction_read_only') = 'on' THEN
    RAISE 'the server is read-only' USING ERRCODE = 'read_only_sql_transaction';
  END IF;
END $$`

/**
 * Fails on a read-only server with the error that a write gets. The pool then drops the connection, so those that only read do not
 * stay with a server that was demoted.
 */
export const assertWritable = (sql: SqlClient.SqlClient): Effect.Effect<void, SqlError.SqlError> =>
  Effect.asVoid(sql.unsafe(ASSERT_WRITABLE))
