import { type Effect, Schema } from "effect"

/** A statement that failed. */
export class JdbcError extends Schema.TaggedError<JdbcError>()("JdbcError", {
  /** The server's SQLSTATE, otherwise the system's error code (`ECONNREFUSED`), otherwise "". */
  code: Schema.String,
  /** The server's or the system's message in one line, without the connection string. */
  message: Schema.String
}) {}

/** What the JDBC catalog requires of a Postgres client. Each statement is its own transaction. */
export interface JdbcClient {
  /** Resumes with the rows. Interrupting it returns promptly, even if the server does not answer. */
  readonly query: <Row extends object>(
    statement: string,
    parameters?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, JdbcError>
}
