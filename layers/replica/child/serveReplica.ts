import { serveQueries } from "../../duckdb/child/serveQueries.ts"
import type { ReplicaOptions, ReplicaRequest } from "../protocol.ts"
import { ReplicaEngine } from "./ReplicaEngine.ts"

/** Keeps the replica and runs queries on it for the process that started this one, and ends with it. */
export const serveReplica = (): void =>
  serveQueries<ReplicaOptions, ReplicaRequest>(async (options, notify) => {
    // It is optional, and missing on some platforms.
    await import("@duckdb/node-api")
    return new ReplicaEngine(options, notify)
  })
