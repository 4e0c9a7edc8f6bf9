import { Effect, Schema } from "effect"

/**
 * Why an operation on a table or its files failed. The reason decides what the caller may do next:
 * - `NotFound`, `AlreadyExists`: reported by the store or the catalog.
 * - `Conflict`: another writer committed first and nothing of this commit was applied. Reload the table and rebuild the commit.
 * - `Unknown`: a commit was sent and its outcome could not be read back. Delete nothing; reload later to find out.
 * - `Unavailable`: not done, for a temporary reason (network, 5xx, throttling). May be retried.
 * - `Denied`: credentials or permissions. `Invalid`: a setting, request or file that will fail again.
 */
export class IcebergError extends Schema.TaggedError<IcebergError>()("IcebergError", {
  reason: Schema.Literals(["NotFound", "AlreadyExists", "Conflict", "Unknown", "Unavailable", "Denied", "Invalid"]),
  /** Safe to show: names the table, file or setting and what to do; contains no secrets. */
  message: Schema.String
}) {
  static notFound(message: string): IcebergError {
    return new IcebergError({ reason: "NotFound", message })
  }
  static alreadyExists(message: string): IcebergError {
    return new IcebergError({ reason: "AlreadyExists", message })
  }
  static conflict(message: string): IcebergError {
    return new IcebergError({ reason: "Conflict", message })
  }
  static unknown(message: string): IcebergError {
    return new IcebergError({ reason: "Unknown", message })
  }
  static unavailable(message: string): IcebergError {
    return new IcebergError({ reason: "Unavailable", message })
  }
  static denied(message: string): IcebergError {
    return new IcebergError({ reason: "Denied", message })
  }
  static invalid(message: string): IcebergError {
    return new IcebergError({ reason: "Invalid", message })
  }
}

/** Turns `NotFound` into null. */
export const nullIfNotFound = <A, R>(
  self: Effect.Effect<A, IcebergError, R>
): Effect.Effect<A | null, IcebergError, R> =>
  Effect.catchIf(
    self,
    (error) => error.reason === "NotFound",
    () => Effect.succeed(null)
  )
