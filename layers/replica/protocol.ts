import type { QueryRequest } from "../duckdb/child/protocol.ts"

/** How the replica's process is started. Has the database's password. */
export interface ReplicaOptions {
  readonly folder: string
  readonly databaseUrl: string
  readonly memoryLimit: string
  readonly tempLimit: string
  /** Null: one per core. */
  readonly threads: number | null
  /** The replica writes nothing while its disk has less than this free, in bytes. */
  readonly minFreeBytes: number
  /** More of DuckDB's configuration, for tests. */
  readonly configuration?: Readonly<Record<string, string>>
  /** Rows that a rebuild links at a time, for tests. */
  readonly linkedRows?: number
  /** How many events of a month or a day a check compares at once, for tests. */
  readonly checkedEvents?: number
  /** The name of this machine, for the list of replicas. */
  readonly host: string
}

export type ReplicaRequest = QueryRequest

/** The calls that the process answers in addition to queries. */
export const CALLS = { rebuild: "rebuild", check: "check", sync: "sync", stop: "stop" } as const
