import type { Effect, Stream } from "effect"
import type { IcebergError } from "../IcebergError.ts"

export interface StoredObject {
  readonly location: string
  /** Bytes. */
  readonly size: number
  /** Ms since the epoch, by the store's clock. */
  readonly modifiedAt: number
}

/**
 * The files of a warehouse, identified by their full location (`s3://bucket/key`, `file:///path`). Reads and writes are
 * retried while the store is unavailable. Every operation has a deadline.
 */
export interface ObjectStore {
  /** Fails with `NotFound`. */
  readonly read: (location: string) => Effect.Effect<Uint8Array, IcebergError>
  /** Bytes from `offset`; fewer than `length` at the end of the file. */
  readonly readRange: (location: string, offset: number, length: number) => Effect.Effect<Uint8Array, IcebergError>
  /** Fails with `NotFound`. */
  readonly head: (location: string) => Effect.Effect<StoredObject, IcebergError>
  /** Resumes once the file is durable. Replaces an existing file. */
  readonly write: (location: string, bytes: Uint8Array) => Effect.Effect<void, IcebergError>
  /**
   * Atomically creates a file; false if one with other content exists. A file with the same bytes counts as ours: an earlier
   * attempt whose response was lost. Fails with `Unknown` if it cannot find out.
   */
  readonly writeNew: (location: string, bytes: Uint8Array) => Effect.Effect<boolean, IcebergError>
  /** Writes chunks as they arrive, holding at most a few parts in memory, and returns the size. Leaves no file on failure. */
  readonly writeChunks: (location: string, chunks: AsyncIterable<Uint8Array>) => Effect.Effect<number, IcebergError>
  /** A missing file counts as removed. */
  readonly remove: (locations: ReadonlyArray<string>) => Effect.Effect<void, IcebergError>
  /** All files under a folder (a location that ends with `/`), at any depth. */
  readonly list: (folder: string) => Stream.Stream<StoredObject, IcebergError>
}
