import type { QueryDialect } from "../ports/QueryEngine.ts"

/** The events: a view of the app database, or a table of the lake. */
export const EVENTS: Readonly<Record<QueryDialect, string>> = {
  postgres: "v_pa_events",
  trino: "pa_events",
  duckdb: "pa_events"
}
