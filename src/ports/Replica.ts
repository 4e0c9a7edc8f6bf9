import { Context, type Effect } from "effect"
import type { RebuildProgress } from "../domain/rebuildProgress.ts"
import type { QueryError } from "./QueryEngine.ts"

/**
 * What a replica is doing.
 * - `starting`: opens its file.
 * - `rebuilding`: loads everything; `progress` says how far it is.
 * - `following`: answers questions, as of `asOf`.
 * - `waiting`: cannot continue; `why` says what it waits for. It still answers questions if it has a complete file.
 */
export type ReplicaPhase = "starting" | "rebuilding" | "following" | "waiting"

/** The last comparison with the app database. */
export interface ReplicaCheck {
  /** In ms since 1970. */
  readonly at: number
  /** Whether it compared everything, or only the last days. */
  readonly complete: boolean
  /** Days of sites that differed, and were read again. */
  readonly differences: number
}

export interface ReplicaStatus {
  readonly phase: ReplicaPhase
  /** A sentence for operators, without secrets; null while all is well. */
  readonly why: string | null
  /** Whether it answers questions. */
  readonly isUsable: boolean
  /** Null unless rebuilding. */
  readonly progress: RebuildProgress | null
  /** Its data is complete up to this time, in ISO 8601 with microseconds; null before the first. */
  readonly asOf: string | null
  /** Opaque; changes with the data. */
  readonly version: string
  /** Bytes of its file. */
  readonly bytes: number
  readonly check: ReplicaCheck | null
}

/** The columnar replica of the app database that this process keeps: docs/replica.md. */
export class Replica extends Context.Service<
  Replica,
  {
    /** Null if this process keeps no replica. */
    readonly status: Effect.Effect<ReplicaStatus | null>
    /** Discards the file and begins again, in the background. */
    readonly rebuild: Effect.Effect<void, QueryError>
    /** Compares all days with the app database, and reads again those that differ. Takes seconds to minutes. */
    readonly check: Effect.Effect<ReplicaCheck, QueryError>
    /** Succeeds when the replica has everything that was committed before the call. */
    readonly sync: Effect.Effect<void, QueryError>
  }
>()("footfall/ports/Replica") {}
