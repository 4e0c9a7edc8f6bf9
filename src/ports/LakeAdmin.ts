import { Context, type Effect, Schema } from "effect"
import type { StartError } from "../domain/StartError.ts"

export const LAKE_TABLE_NAMES = ["pa_events", "pa_sessions", "pa_session_data"] as const
export type LakeTableName = (typeof LAKE_TABLE_NAMES)[number]

/**
 * Why an operation on the lake failed.
 * - `Unavailable`: the catalog, the object store or the app database did not answer, or another writer kept winning; retry.
 * - `Denied`: credentials or permissions. `Invalid`: a setting or a file that a retry does not change.
 */
export class LakeAdminError extends Schema.TaggedError<LakeAdminError>()("LakeAdminError", {
  reason: Schema.Literals(["Unavailable", "Denied", "Invalid"]),
  /** Safe to show: names the table, file or setting; holds no secrets. */
  message: Schema.String
}) {}

export interface LakeTableStatus {
  readonly name: LakeTableName
  readonly location: string
  readonly metadataLocation: string
  /** Null, as is `committedAt`, until the first commit. */
  readonly snapshotId: string | null
  readonly committedAt: Date | null
  readonly snapshots: number
  /** Of the current snapshot, as are `files`, `rows` and `bytes`. */
  readonly manifests: number
  readonly files: number
  readonly rows: number
  readonly bytes: number
}

/** A collector that writes to the lake, as it last reported. */
export interface LakeCollector {
  /** UUID of its spool. */
  readonly spoolId: string
  readonly host: string
  readonly folder: string
  readonly isRunning: boolean
  readonly seenAt: Date
  /** Bytes in its spool that are not in the lake yet. */
  readonly backlogBytes: number
  readonly lastSuccessAt: Date | null
  /** Why its last flush failed; null when it succeeded. */
  readonly failure: string | null
}

/** What was found out about one part of the lake. */
export interface LakeProbe {
  readonly part: "credentials" | "bucket" | "folder" | "catalog" | LakeTableName
  /** `note`: not checked, or nothing there yet. */
  readonly state: "ok" | "note" | "bad"
  readonly message: string
}

export interface LakeStatus {
  readonly catalog: { readonly type: string; readonly name: string }
  /** Every part, whether or not another one fails. */
  readonly probes: ReadonlyArray<LakeProbe>
  /** Those that could be read. */
  readonly tables: ReadonlyArray<LakeTableStatus>
  readonly collectors: ReadonlyArray<LakeCollector>
}

export interface LakeFlush {
  /** Running collectors that were asked to flush. */
  readonly collectors: number
  /** Those that did in time. */
  readonly flushed: number
  /** When not all did: running collectors whose last flush failed. */
  readonly failing: ReadonlyArray<LakeCollector & { readonly failure: string }>
  /** Collectors whose spools have acknowledged events that are not in the lake: those that did not flush in time, or are gone. */
  readonly remaining: ReadonlyArray<LakeCollector>
}

export interface LakeCompaction {
  readonly table: LakeTableName
  readonly filesBefore: number
  readonly filesAfter: number
  /** Rows and bytes of the files that were merged, and bytes of the files written. */
  readonly rows: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Why part of the table was left as it is; null when all of it was considered. */
  readonly skipped: string | null
  /** Why some partitions were left as they are. */
  readonly failures: ReadonlyArray<string>
}

export interface LakeExpiration {
  readonly table: LakeTableName
  readonly snapshots: number
  /** Locations of the files that only the expired snapshots referenced. */
  readonly files: ReadonlyArray<string>
  /** Why nothing may expire; null if it may. */
  readonly skipped: string | null
}

export interface LakeOrphans {
  readonly table: LakeTableName
  /** Files found in the folders that were searched. */
  readonly seen: number
  /** Why folders were left as they are, one sentence each: they hold, or may hold, files of other tables. */
  readonly refused: ReadonlyArray<string>
  readonly files: ReadonlyArray<{ readonly location: string; readonly size: number; readonly modifiedAt: number }>
}

export interface LakeVerification {
  readonly table: LakeTableName
  readonly files: number
  readonly rows: number
  readonly bytes: number
  /** Each names the file; at most a hundred. */
  readonly problems: ReadonlyArray<string>
}

export interface LakeRecovery {
  readonly table: LakeTableName
  /** The metadata file that the catalog names, and whether it is missing. */
  readonly from: string
  readonly isFromMissing: boolean
  /** The newest metadata of the table, which the catalog names now, or after a dry run should name. Equal to `from` if all is well. */
  readonly to: string
  /** Null if unknown. */
  readonly rowsBefore: number | null
  readonly rowsAfter: number | null
  /** Why the catalog was left as it is; null if nothing was in the way. */
  readonly refused: string | null
}

/** Progress of work on one table, in files. */
export interface LakeProgress {
  readonly table: LakeTableName
  readonly done: number
  readonly total: number
}

/** Progress of a flush, in collectors. */
export interface FlushProgress {
  readonly done: number
  readonly total: number
  /** Those that have not flushed yet. */
  readonly awaited: ReadonlyArray<Pick<LakeCollector, "host" | "folder" | "isRunning">>
}

type Tables = { readonly tables: ReadonlyArray<LakeTableName> }
type DryRun = { readonly dryRun: boolean }

/** A `StartError` says which setting of the lake is missing or invalid. */
type Operation<A> = Effect.Effect<A, LakeAdminError | StartError>

/**
 * Status and maintenance of the lake. Operations on tables return one result per table, in the given order, and leave out tables
 * that no flush has created yet. A dry run reports what would be done and changes nothing.
 */
export class LakeAdmin extends Context.Service<
  LakeAdmin,
  {
    readonly status: Operation<LakeStatus>
    /**
     * Asks every running collector to flush what it has accepted, and waits until all did, those that did not are gone, or the timeout
     * elapses.
     */
    readonly flush: (options: {
      readonly timeoutSeconds: number
      readonly onProgress: (progress: FlushProgress) => void
    }) => Effect.Effect<LakeFlush, LakeAdminError>
    /** Merges small files of past days into files of the configured size. */
    readonly compact: (
      options: Tables & DryRun & { readonly onProgress: (progress: LakeProgress) => void }
    ) => Operation<ReadonlyArray<LakeCompaction>>
    /** Expires snapshots past the configured age and deletes the files that only they referenced. */
    readonly expire: (options: Tables & DryRun) => Operation<ReadonlyArray<LakeExpiration>>
    /** Deletes files past the configured age that no snapshot references. */
    readonly removeOrphans: (options: Tables & DryRun) => Operation<ReadonlyArray<LakeOrphans>>
    /** Points the catalog to the newest metadata of each table, after its database was restored or a pointer was moved. */
    readonly recover: (options: Tables & DryRun & { readonly force: boolean }) => Operation<ReadonlyArray<LakeRecovery>>
    /** Reads every file of the current snapshots and compares it with its manifest entry. */
    readonly verify: (
      options: Tables & { readonly onProgress: (progress: LakeProgress) => void }
    ) => Operation<ReadonlyArray<LakeVerification>>
  }
>()("footfall/ports/LakeAdmin") {}
