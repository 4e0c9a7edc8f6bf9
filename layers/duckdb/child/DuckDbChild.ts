import type { Effect, Scope } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import type { OpenOptions, RunRequest } from "./protocol.ts"
import { makeQueryChild, type QueryChild } from "./QueryChild.ts"

/** Downloading the extensions takes seconds. */
const OPEN_MS = 120_000

/** Runs queries of the lake in a DuckDB in another process. */
export type DuckDbChild = QueryChild<RunRequest>

const refused = (error: string) =>
  new StartError({
    message: `DuckDB can't be used; without internet access, set DUCKDB_EXTENSION_DIRECTORY to a folder with the extensions avro, httpfs and iceberg for exactly this DuckDB. DuckDB's error: ${error}`
  })

/** A process that runs `entry`, which must call `serveDuckDb`. It starts with the first query, and again after it ended. */
export const makeDuckDbChild = (entry: URL, options: OpenOptions): Effect.Effect<DuckDbChild, never, Scope.Scope> =>
  makeQueryChild<OpenOptions, RunRequest>({ entry, open: options, openMs: OPEN_MS, refused })
