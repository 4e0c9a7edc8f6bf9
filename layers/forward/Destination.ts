import { type Effect, Schema } from "effect"
import type { Spool } from "../spool/Spool.ts"
import type { Damage } from "../spool/scan.ts"
import type { Opening } from "./openingJournal.ts"

/**
 * Why a destination did not take records. Whatever the reason, they stay in the spool and are written again later.
 * - `Unavailable`: the destination did not answer, or another writer got in the way.
 * - `Denied`: credentials or permissions. `Invalid`: a setting, a table or a record that a retry does not change.
 */
export class DestinationError extends Schema.TaggedError<DestinationError>()("DestinationError", {
  reason: Schema.Literals(["Unavailable", "Denied", "Invalid"]),
  /** Safe to show: no secrets, no record content. */
  message: Schema.String
}) {}

/** A spool's identity. Plain data, so that a destination can pass it to a thread. */
export type SpoolRef = Pick<Spool, "id" | "folder" | "oldest">

/**
 * A run of records: all of a spool's records up to a position that the destination does not have yet. `readRecords` reads them from
 * the spool's folder.
 */
export interface Run {
  readonly spool: SpoolRef
  readonly upTo: number
}

export interface Written {
  /** Every record up to here is safely stored. */
  readonly position: number
  /** Rows or messages that this call stored. */
  readonly rows: number
  /**
   * What the destination has of the spool, in its own words. It is kept in the spool's folder and passed to `reconcile` when the spool is
   * opened again, so that a destination that was rolled back can be recognized.
   */
  readonly receipt?: string
}

/** A spool that was just opened, and every opening of it since the last successful `reconcile`, the current one last. */
export interface OpenedSpool {
  readonly id: string
  readonly openings: ReadonlyArray<Opening>
  /** The newest receipt in the spool's folder; null if there is none. */
  readonly receipt: string | null
}

/** A spool that ends before the position that the destination has of it: its folder was restored from an older copy or lost files. */
export interface SpoolRolledBack {
  /** Where the spool ended when it was opened. */
  readonly end: number
  /** The position stored at the destination. */
  readonly watermark: number
}

/**
 * Where a spool's records go, once each: the lake, a message broker, a webhook, another database. The destination stores, together
 * with the records, how far it has each spool (its watermark), and decides by it what is new. `spooledStorage` makes a `Storage`
 * of it.
 *
 * ```
 *   append ─▶ spool │ 0 ........ watermark ........ upTo ... │
 *                     └ stored ──┘└─ written next ─┘
 * ```
 */
export interface Destination {
  /** In log messages ("the lake") and in the names of metrics (`footfall_lake_flushes_total`). */
  readonly name: string
  /** Loads what the first write needs, so that it does not compete with requests later. */
  readonly prepare: Effect.Effect<void, DestinationError>
  /**
   * Compares a spool with its watermark, before the first write after each opening. If the spool was rolled back, moves the watermark
   * back to where the spool ended: what it held there is stored, what it accepts from now on is not. Fails with `Invalid` if the
   * destination itself was rolled back and can be recovered. Safe to repeat.
   */
  readonly reconcile: (
    spool: OpenedSpool,
    onRolledBack: (rolledBack: SpoolRolledBack) => void
  ) => Effect.Effect<void, DestinationError>
  /**
   * Stores each record of the run exactly once. It may leave part of the run to a later call, but stores at least one record. Calls for one spool never overlap. Parts of the spool that cannot be read are
   * skipped and reported, on each call that meets them.
   */
  readonly write: (run: Run, onDamage: (damage: Damage) => void) => Effect.Effect<Written, DestinationError>
}
