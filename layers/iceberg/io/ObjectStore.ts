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
 * Files of a warehouse, each known by its full location (`s3://bucket/key`, `file:///path`). Reads and writes are tried
 * again while the store is unavailable, within a deadline; every operation ends.
 */
export interface ObjectStore {
  /** Fails with `NotFound`. */
  readonly read: (location: string) => Effect.Effect<Uint8Array, IcebergError>
  /** Bytes from `offset`; fewer than `length` at the end of the file. */
  readonly readRange: (location: string, offset: number, length: number) => Effect.Effect<Uint8Array, IcebergError>
  readonly head: (location: string) => Effect.Effect<StoredObject, IcebergError>
  /** Resumes when it is durable; replaces what is there. */
  readonly write: (location: string, bytes: Uint8Array) => Effect.Effect<void, IcebergError>
  /**
   * Writes where nothing is yet, atomically: false when something else is there. An object with these very bytes is ours: an
   * earlier attempt whose answer was lost. Fails with `Unknown` when that could not be told.
   */
  readonly writeNew: (location: string, bytes: Uint8Array) => Effect.Effect<boolean, IcebergError>
  /** Writes chunks as they come, in memory bounded by a few parts; the answer is the size. Nothing is there when it fails. */
  readonly writeChunks: (location: string, chunks: AsyncIterable<Uint8Array>) => Effect.Effect<number, IcebergError>
  /** What is not there counts as removed. */
  readonly remove: (locations: ReadonlyArray<string>) => Effect.Effect<void, IcebergError>
  /** Everything under a folder (a location that ends with `/`), at any depth, in pages. */
  readonly list: (folder: string) => Stream.Stream<StoredObject, IcebergError>
}
