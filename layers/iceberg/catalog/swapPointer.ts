import { Effect, Result } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import { hasSnapshots } from "./changedMetadata.ts"
import type { MetadataFiles } from "./metadataFiles.ts"
import { CHECKS_MS, withinSettling } from "./settling.ts"

/** The one place that says which metadata file of a table is the current one. */
export interface Pointer {
  /** The file that it names. Fails with `NotFound` when there is no such table. */
  readonly read: Effect.Effect<string, IcebergError>
  /**
   * Has it name `ours` where it names `base` (null: nothing). False when it names something else. Fails with `Unknown` when
   * it may have happened or may still happen; any other failure says that it did not and will not.
   */
  readonly swap: (base: string | null, ours: string) => Effect.Effect<boolean, IcebergError>
}

export interface Swap {
  readonly pointer: Pointer
  readonly files: MetadataFiles
  /** Null: the table is new. */
  readonly base: string | null
  /** A metadata file that is written and that nobody else knows. */
  readonly ours: string
  /** What `ours` adds. They tell our commit when its file is in the log no more. */
  readonly snapshots: ReadonlyArray<bigint>
}

/**
 * - `Swapped`: ours is, or was, the current one.
 * - `Lost`: somebody else's followed the base. `certain`: ours was never named by the pointer and its file may go.
 */
export type Outcome = { readonly _tag: "Swapped" } | { readonly _tag: "Lost"; readonly certain: boolean }

const SWAPPED: Outcome = { _tag: "Swapped" }

type Sight = "ours" | "base" | "theirs" | "untold"

/** What the pointer, and the log of the metadata it names, say of our file. */
const look = Effect.fnUntraced(function* ({
  base,
  files,
  ours,
  pointer,
  snapshots
}: Swap): Effect.fn.Return<Sight, IcebergError> {
  const current = yield* pointer.read.pipe(
    Effect.map((location): string | null => location),
    Effect.catchIf(
      (error) => base === null && error.reason === "NotFound",
      () => Effect.succeed(null)
    )
  )
  if (current === ours) return "ours"
  if (current === base || current === null) return "base"
  const metadata: TableMetadata = yield* files.read(current)
  const history = [...(metadata["metadata-log"] ?? []).map((entry) => entry["metadata-file"]), current]
  if (history.includes(ours) || hasSnapshots(metadata, snapshots)) return "ours"
  // The log says what came after the base: with the base in it, ours would be there too.
  return base === null || history.includes(base) ? "theirs" : "untold"
})

/** Reads back, and sends again while the base is still there. `first` is what came of the first attempt. */
const settle = Effect.fnUntraced(function* (
  swap: Swap,
  first: Result.Result<false, IcebergError>
): Effect.fn.Return<Outcome, IcebergError> {
  /** Whether an attempt may have happened without our knowing. */
  let ambiguous = Result.isFailure(first)
  let why = Result.isFailure(first) ? first.failure.message : "the catalog refused it"
  for (const wait of CHECKS_MS) {
    if (wait > 0) yield* Effect.sleep(wait)
    const sight = yield* Effect.result(look(swap))
    if (Result.isFailure(sight)) {
      if (sight.failure.reason === "NotFound") return yield* sight.failure
      why = sight.failure.message
      ambiguous = true
      continue
    }
    if (sight.success === "ours") return SWAPPED
    if (sight.success === "theirs") return { _tag: "Lost", certain: !ambiguous }
    if (sight.success === "untold") {
      why = "the metadata log does not reach back to it"
      break
    }
    const again = yield* Effect.result(swap.pointer.swap(swap.base, swap.ours))
    if (Result.isSuccess(again) && again.success) return SWAPPED
    if (Result.isFailure(again)) {
      ambiguous = true
      why = again.failure.message
    }
  }
  if (!ambiguous) return { _tag: "Lost", certain: false }
  return yield* icebergError("Unknown", `Whether ${swap.ours} was committed is not known: ${why}`)
})

/**
 * Swaps the pointer and finds out whether it happened. After an answer that is no proof (a lost one, or a refusal, which may
 * be the answer to an attempt that something on the way repeated) the pointer is read back. While it still names the base,
 * the same swap is sent again: it can happen only once. Fails with `Unknown` when nothing could be read back, or when what
 * was read does not tell.
 */
export const swapPointer = Effect.fnUntraced(function* (swap: Swap): Effect.fn.Return<Outcome, IcebergError> {
  const first = yield* Effect.result(swap.pointer.swap(swap.base, swap.ours))
  if (Result.isSuccess(first)) {
    return first.success ? SWAPPED : yield* settle(swap, Result.succeed(false as const)).pipe(withinSettling(swap.ours))
  }
  if (first.failure.reason !== "Unknown") return yield* first.failure
  return yield* settle(swap, Result.fail(first.failure)).pipe(withinSettling(swap.ours))
})
