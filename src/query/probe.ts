import { Effect } from "effect"
import { type QueryEngine, QueryError } from "../ports/QueryEngine.ts"
import { EVENTS } from "./tables.ts"

/** How long a warehouse may take to say that it is there; longer is no readiness. */
const PROBE_SECONDS = 5

/** Whether questions about events can be asked: reads no event, and still takes the catalog, the table and the right to it. */
export const probe = ({ dialect, run }: QueryEngine["Service"]): Effect.Effect<void, QueryError> =>
  run({ sql: `SELECT 1 AS one FROM ${EVENTS[dialect]} LIMIT 0`, parameters: [], tables: [EVENTS[dialect]] }).pipe(
    Effect.timeoutOrElse({
      duration: PROBE_SECONDS * 1_000,
      orElse: () => Effect.fail(new QueryError({ reason: "Timeout", message: `No answer within ${PROBE_SECONDS} s.` }))
    }),
    Effect.asVoid
  )
