import { Schema } from "effect"

/**
 * Why something about a table or its files failed. The reason decides what may be done next:
 * - `NotFound`, `AlreadyExists`: said by the store or the catalog itself.
 * - `Conflict`: somebody else committed first; nothing of ours was committed. Load again and build the commit anew.
 * - `Unknown`: a commit was sent and its outcome could not be read back. Delete nothing, keep everything, load and look later.
 * - `Unavailable`: not done, for a reason that passes (network, 5xx, throttling). May be tried again.
 * - `Denied`: credentials or permissions. `Invalid`: a setting, a request or a file that will be no better next time.
 */
export class IcebergError extends Schema.TaggedError<IcebergError>()("IcebergError", {
  reason: Schema.Literals(["NotFound", "AlreadyExists", "Conflict", "Unknown", "Unavailable", "Denied", "Invalid"]),
  /** Safe to show: names the table, file or setting and what to do; holds no secrets. */
  message: Schema.String
}) {}

/** A failure of this reason. */
export const icebergError = (reason: IcebergError["reason"], message: string): IcebergError =>
  new IcebergError({ reason, message })
