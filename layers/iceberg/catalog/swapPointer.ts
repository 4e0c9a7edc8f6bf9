import { Effect, Result } from "effect"
import { type IcebergError, nullIfNotFound } from "../IcebergError.ts"
import { hasSnapshots } from "./changedMetadata.ts"
import type { MetadataFiles } from "./metadataFiles.ts"
import { type Attempt, type Observation, type Outcome, resolveOutcome } from "./resolveOutcome.ts"

/** The record that names a table's current metadata file. */
export interface Pointer {
  /** The file it names. Fails with `NotFound` if there is no such table. */
  readonly read: Effect.Effect<string, IcebergError>
  /**
   * Replaces `base` (null: no record) with `ours`. False if the pointer names another file. Fails with `Unknown` if the swap
   * may have happened or may still happen; any other failure means that it did not and will not.
   */
  readonly swap: (base: string | null, ours: string) => Effect.Effect<boolean, IcebergError>
}

export interface Swap {
  readonly pointer: Pointer
  readonly files: MetadataFiles
  /** Null for a new table. */
  readonly base: string | null
  /** A metadata file that is already written and that only this commit knows. */
  readonly ours: string
  /** Snapshots that `ours` adds. They identify the commit after its file has left the metadata log. */
  readonly snapshots: ReadonlyArray<bigint>
}

const APPLIED = { _tag: "Applied", value: undefined } as const

/** What the pointer, and the log in the metadata it names, show of our file. */
const observe = Effect.fnUntraced(function* ({
  base,
  files,
  ours,
  pointer,
  snapshots
}: Swap): Effect.fn.Return<Observation<void>, IcebergError> {
  const current = yield* base === null ? nullIfNotFound(pointer.read) : pointer.read
  if (current === ours) return APPLIED
  if (current === base || current === null) return { _tag: "Pending" }
  const metadata = yield* files.read(current)
  const history = [...(metadata["metadata-log"] ?? []).map((entry) => entry["metadata-file"]), current]
  if (history.includes(ours) || hasSnapshots(metadata, snapshots)) return APPLIED
  // The log lists what followed the base: if the base is in it, ours would be too.
  return base === null || history.includes(base)
    ? { _tag: "Superseded" }
    : { _tag: "Inconclusive", message: "the metadata log does not reach back that far" }
})

const send = ({ base, ours, pointer }: Swap): Effect.Effect<Attempt<void>, IcebergError> =>
  Effect.flatMap(Effect.result(pointer.swap(base, ours)), (swapped) => {
    if (Result.isFailure(swapped)) {
      return swapped.failure.reason === "Unknown"
        ? Effect.succeed<Attempt<void>>({ _tag: "Lost", message: swapped.failure.message })
        : Effect.fail(swapped.failure)
    }
    return Effect.succeed<Attempt<void>>(
      swapped.success ? APPLIED : { _tag: "Refused", message: "the catalog refused it" }
    )
  })

/**
 * Swaps the pointer and finds out whether that happened, from the pointer and the metadata log. While the pointer still names
 * the base, the same swap is sent again: it can happen only once.
 */
export const swapPointer = (swap: Swap): Effect.Effect<Outcome<void>, IcebergError> =>
  resolveOutcome({ what: swap.ours, send: send(swap), observe: () => observe(swap) })
