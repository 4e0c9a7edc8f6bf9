import { Schema } from "effect"

/** Reasons after which the same record may be sent again. */
export type RetryableReason = "Overloaded" | "Unavailable"

/**
 * Why a record was not stored.
 * - `Overloaded`: the bounded queue is full; nothing was written.
 * - `Unavailable`: the store can't be reached, or its answer did not come in time; the record may or may not be there.
 * - `Refused`: the store will never take this record; others of its batch are not affected.
 * `message` is safe to show to an operator; it holds no connection string and no record content.
 */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  reason: Schema.Literals(["Overloaded", "Unavailable", "Refused"]),
  message: Schema.String
}) {}
