import { serveDuckDb } from "../layers/duckdb/child/serveDuckDb.ts"

/** The process that answers questions with DuckDB, for another process that stores events. */
serveDuckDb()
