import { Cause, Effect, Predicate } from "effect"
import type { SqlError } from "effect/sql"
import { deadline } from "../../../src/lib/deadline.ts"
import { sqlMessage } from "./sqlErrors.ts"

/** Longest wait for a statement on the control tables. They are small, so a server that takes longer is in trouble. */
export const CONTROL_DEADLINE = "4 seconds"

/** Why the database did not answer, in one line for the log and the command line. */
export const statementFailure = (error: SqlError.SqlError | Cause.TimeoutError): string =>
  error._tag === "SqlError" ? sqlMessage(error) : `no answer within ${CONTROL_DEADLINE}`

/**
 * Runs a statement on the control tables within `CONTROL_DEADLINE`. A failure is logged with its cause; `unavailable` gets a
 * message that is safe to show to anyone.
 */
export const runStatement = <A, E>(
  statement: Effect.Effect<A, SqlError.SqlError>,
  unavailable: (message: string) => E
): Effect.Effect<A, E> => runChange(statement, unavailable)

const isFailure = (error: unknown): error is SqlError.SqlError | Cause.TimeoutError =>
  Cause.isTimeoutError(error) || Predicate.isTagged(error, "SqlError")

/** {@link runStatement} for statements that may also fail with errors of their own, which pass. */
export const runChange = <A, X, E>(
  change: Effect.Effect<A, X>,
  unavailable: (message: string) => E
): Effect.Effect<A, E | Exclude<X, SqlError.SqlError>> =>
  change.pipe(
    // The driver takes up to 5 s to cancel a statement that the server does not answer.
    deadline({ duration: CONTROL_DEADLINE, orElse: () => Effect.fail(new Cause.TimeoutError()) }),
    Effect.catch(
      (error): Effect.Effect<never, E | Exclude<X, SqlError.SqlError>> =>
        isFailure(error)
          ? Effect.andThen(
              Effect.logWarning(`The app database did not answer: ${statementFailure(error)}.`),
              Effect.fail(unavailable("The app database can't be reached."))
            )
          : Effect.fail(error as Exclude<X, SqlError.SqlError>)
    )
  )
