import { Effect } from "effect"
import { type QueryEngine, QueryError } from "../ports/QueryEngine.ts"
import { EVENTS } from "./tables.ts"

/** A warehouse that takes longer does not count as ready. */
const PROBE_TIMEOUT_SECONDS = 5

/** Checks that events can be queried. Reads no event, but requires the catalog, the table and access to it. */
export const probe = ({ dialect, run }: QueryEngine["Service"]): Effect.Effect<void, QueryError> =>
  run({ sql: `SELECT 1 AS probe FROM ${EVENTS[dialect]} LIMIT 0`, parameters: [], tables: [EVENTS[dialect]] }).pipe(
    Effect.timeoutOrElse({
      duration: PROBE_TIMEOUT_SECONDS * 1_000,
      orElse: () =>
        Effect.fail(new QueryError({ reason: "Timeout", message: `No answer within ${PROBE_TIMEOUT_SECONDS} s.` }))
    }),
    Effect.asVoid
  )
