import { Schema } from "effect"

/** Reasons after which the same record may be sent again. */
export type RetryableReason = "Overloaded" | "Unavailable"

/**
 * Why a record was not stored.
 * - `Overloaded`: the bounded queue is full; nothing was written.
 * - `Unavailable`: the store cannot be reached or did not answer in time; the record may or may not have been stored.
 * - `Refused`: the store will never accept this record; the rest of its batch is not affected.
 * `message` is safe to show to an operator: it contains neither a connection string nor any part of the record.
 */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  reason: Schema.Literals(["Overloaded", "Unavailable", "Refused"]),
  message: Schema.String
}) {}
