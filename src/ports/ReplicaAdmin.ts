import { Context, type Effect, Schema } from "effect"
import type { ReplicaStatus } from "./Replica.ts"

/** The app database can't be reached, no replica follows it, or none did what was asked for in time. */
export class ReplicaAdminError extends Schema.TaggedError<ReplicaAdminError>()("ReplicaAdminError", {
  message: Schema.String
}) {}

/** A replica as it last reported to the app database. */
export interface ReportedReplica {
  readonly host: string
  readonly folder: string
  /** In ms since 1970; null before its first report. */
  readonly reportedAt: number | null
  /** Whether it reported in the last minutes and, if its folder is on this machine, a process has it. */
  readonly isRunning: boolean
  readonly status: ReplicaStatus | null
}

/** The replicas that follow the app database, each in a `full`. Commands reach them through the database. */
export class ReplicaAdmin extends Context.Service<
  ReplicaAdmin,
  {
    readonly list: Effect.Effect<ReadonlyArray<ReportedReplica>, ReplicaAdminError>
    /**
     * Makes every running replica compare all days with the app database, and waits for that. Returns those that did, at least one.
     * `onProgress` gets those that have not yet, several times a second.
     */
    readonly check: (options: {
      readonly timeoutSeconds: number
      readonly onProgress: (waiting: ReadonlyArray<ReportedReplica>) => Effect.Effect<void>
    }) => Effect.Effect<ReadonlyArray<ReportedReplica>, ReplicaAdminError>
    /**
     * Succeeds when every replica has applied what `product_analytics_replica_resync` noted under this number, and has removed the old
     * bytes if they were to be erased. Null, what the function returns without replicas, succeeds at once.
     */
    readonly awaitApplied: (options: {
      readonly noteId: bigint | number | null
      readonly timeoutSeconds: number
    }) => Effect.Effect<void, ReplicaAdminError>
    /**
     * Waits until every running replica has what was committed before the call. `late`: one has not in time. `none`: no replica is running.
     * `onProgress` is called several times a second.
     */
    readonly awaitCommitted: (options: {
      readonly timeoutSeconds: number
      readonly onProgress: Effect.Effect<void>
    }) => Effect.Effect<"complete" | "late" | "none", ReplicaAdminError>
    /** Makes every running replica discard its file and begin again. Returns how many were asked. */
    readonly rebuild: Effect.Effect<number, ReplicaAdminError>
  }
>()("footfall/ports/ReplicaAdmin") {}
