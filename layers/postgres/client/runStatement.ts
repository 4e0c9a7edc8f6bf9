import { Cause, Effect } from "effect"
import type { SqlError } from "effect/sql"
import { within } from "./deadline.ts"
import { sqlMessage } from "./sqlErrors.ts"

/** Longest wait for a statement on the control tables. They are small: what takes longer is not coming. */
export const CONTROL_DEADLINE = "4 seconds"

/** What kept the database from answering, in one line for the log and the command line. */
export const whyNoAnswer = (error: SqlError.SqlError | Cause.TimeoutError): string =>
  error._tag === "SqlError" ? sqlMessage(error) : `no answer within ${CONTROL_DEADLINE}`

/** The statement's answer within the deadline; without one, `unavailable` of a sentence that is safe to show to anyone. */
export const askDatabase = <A, E>(
  statement: Effect.Effect<A, SqlError.SqlError>,
  unavailable: (message: string) => E
): Effect.Effect<A, E> =>
  within(statement, CONTROL_DEADLINE, Effect.fail(new Cause.TimeoutError())).pipe(
    Effect.tapError((error) => Effect.logWarning(`The app database did not answer: ${whyNoAnswer(error)}.`)),
    Effect.mapError(() => unavailable("The app database can't be reached."))
  )
