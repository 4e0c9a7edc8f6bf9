import { Context, type Effect } from "effect"
import type { EventRecord, IdentityRecord } from "../domain/Event.ts"
import type { StorageError } from "../domain/StorageError.ts"

/** A storage's status. Times in ms since the epoch; null if it has not happened yet. */
export interface StorageStatus {
  readonly backend: string
  /** Whether a record saved now would be accepted and is expected to be stored. */
  readonly ready: boolean
  /** Records accepted and not yet durable, and their estimated size. */
  readonly pendingRecords: number
  readonly pendingBytes: number
  /** Batches being written now. */
  readonly inFlight: number
  readonly lastSuccessAt: number | null
  readonly lastErrorAt: number | null
  /** Safe to show: no secrets, no record content. */
  readonly lastError: string | null
  /** Of a storage with a spool: acknowledged records on this machine's disk that are not in the final store yet. */
  readonly spooled?: { readonly bytes: number; readonly folder: string }
}

/**
 * Where events go. A resumed `saveEvent` means durable, with the guarantee that the backend states in the README.
 * Every operation ends: within the backend's write deadline it succeeds or fails with a reason.
 */
export class Storage extends Context.Service<
  Storage,
  {
    /** Stores the event, its session when the store has none of that id, and its properties; all or nothing. */
    readonly saveEvent: (record: EventRecord) => Effect.Effect<void, StorageError>
    /** Stores the session, its distinct id and its attributes (the last value of a key wins); all or nothing. */
    readonly saveIdentity: (record: IdentityRecord) => Effect.Effect<void, StorageError>
    /** Resumes when everything accepted before this call has reached its final store, or failed. */
    readonly flush: Effect.Effect<void, StorageError>
    /** Whether the store can be written to right now; asks the store itself, within two seconds. */
    readonly ping: Effect.Effect<void, StorageError>
    readonly status: Effect.Effect<StorageStatus>
  }
>()("footfall/ports/Storage") {}
