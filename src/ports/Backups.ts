import { Context, type Effect, Schema } from "effect"

/** What a backup consists of. */
export interface BackupSummary {
  readonly folder: string
  /** Whether the database is a copy of the embedded Postgres's data folder (`embedded`) or a dump by pg_dump (`external`). */
  readonly database: "embedded" | "external"
  readonly bytes: number
  /** How many spools are in it; 0 unless events are stored in the lake. */
  readonly spools: number
  /** How many settings of this environment are in it. */
  readonly settings: number
}

export interface RestoreOptions {
  /** Whether existing data may be moved aside. */
  readonly replace: boolean
  readonly onProgress: (step: string) => void
}

export interface Restored {
  readonly database: "embedded" | "external"
  readonly createdAt: string
  /** Where existing data was moved. */
  readonly movedAside: ReadonlyArray<string>
  /** What was done about the lake's tables, whose pointers are as old as the backup; null if the backup has no lake. */
  readonly lake: RestoredLake | null
  /** The file with the settings of the environment that was backed up. */
  readonly settingsFile: string
}

export interface RestoredLake {
  /** Tables that were written to after the backup, and whose pointers now name their newest metadata. */
  readonly recovered: ReadonlyArray<string>
  /** Why the pointers could not be checked, or not all of them; null if they were. */
  readonly problem: string | null
}

/** Why a backup or a restore is not possible. `message` says what to do. */
export class BackupError extends Schema.TaggedError<BackupError>()("BackupError", { message: Schema.String }) {}

/** Backups of everything that this instance keeps on disk: the app database, with the events if they are in Postgres, the spool, and settings. */
export class Backups extends Context.Service<
  Backups,
  {
    /** Writes a backup to a new folder, while everything keeps running. The folder is complete or does not exist. */
    readonly create: (folder: string, onProgress: (step: string) => void) => Effect.Effect<BackupSummary, BackupError>
    /** Restores a backup while nothing runs. An existing database is an error, unless it may be moved aside. */
    readonly restore: (folder: string, options: RestoreOptions) => Effect.Effect<Restored, BackupError>
  }
>()("footfall/ports/Backups") {}
