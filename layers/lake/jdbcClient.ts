import { Effect, Fiber } from "effect"
import type { SqlClient } from "effect/sql"
import { type JdbcClient, JdbcError } from "../iceberg/catalog/jdbc/JdbcClient.ts"
import { sqlCode, sqlMessage } from "../postgres/client/sqlErrors.ts"

/**
 * A Postgres pool as the JDBC catalog's client. The driver takes up to 5 s to abandon a statement that the server does not
 * answer; running each statement in its own fiber lets the caller stop waiting at once.
 */
export const jdbcClient = (sql: SqlClient.SqlClient): JdbcClient => ({
  query: <Row extends object>(statement: string, parameters: ReadonlyArray<unknown> = []) =>
    sql.unsafe<Row>(statement, parameters).pipe(
      Effect.mapError((error) => new JdbcError({ code: sqlCode(error), message: sqlMessage(error) })),
      Effect.forkDetach,
      Effect.flatMap((fiber) =>
        Effect.ensuring(
          Fiber.join(fiber),
          Effect.sync(() => fiber.interruptUnsafe())
        )
      )
    )
})
