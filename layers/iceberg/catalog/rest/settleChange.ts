import { Effect, Option } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import type { Table } from "../Catalog.ts"
import { CHECKS_MS, withinSettling } from "../settling.ts"

/** What came of one request that changes something. */
export type Attempt =
  | { readonly _tag: "Done"; readonly table: Table }
  /** The server says that the table is not as it must be. */
  | { readonly _tag: "Refused"; readonly message: string }
  /** It may have been done, or may still be. */
  | { readonly _tag: "Lost"; readonly message: string }

export interface Change {
  /** For messages. */
  readonly what: string
  /** The same request each time, which can succeed only once. Failures say that it was not done. */
  readonly send: Effect.Effect<Attempt, IcebergError>
  readonly load: Effect.Effect<Table, IcebergError>
  /** What the table, or that there is none, shows: ours; that ours can't come any more; or nothing yet. */
  readonly judge: (found: Option.Option<Table>) => "ours" | "theirs" | "open"
  /** The failure when somebody else was first. */
  readonly theirs: IcebergError
}

type Look =
  | { readonly _tag: "Seen"; readonly table: Option.Option<Table> }
  | { readonly _tag: "Unseen"; readonly message: string }

const lookAt = (load: Change["load"]): Effect.Effect<Look> =>
  Effect.match(load, {
    onSuccess: (table): Look => ({ _tag: "Seen", table: Option.some(table) }),
    onFailure: ({ message, reason }): Look =>
      reason === "NotFound" ? { _tag: "Seen", table: Option.none() } : { _tag: "Unseen", message }
  })

const settle = Effect.fnUntraced(function* (
  { judge, load, send, theirs, what }: Change,
  first: Attempt
): Effect.fn.Return<Table, IcebergError> {
  let last = first
  /** Whether a request may have been done, or may still be, without our knowing. */
  let lost = false
  for (const wait of CHECKS_MS) {
    if (last._tag === "Done") return last.table
    lost ||= last._tag === "Lost"
    if (wait > 0) yield* Effect.sleep(wait)
    const seen = yield* lookAt(load)
    if (seen._tag === "Unseen") {
      last = { _tag: "Lost", message: seen.message }
      continue
    }
    const verdict = judge(seen.table)
    if (verdict === "ours" && Option.isSome(seen.table)) return seen.table.value
    if (verdict === "theirs" || !lost) return yield* theirs
    // A failure now says nothing of what was sent before.
    last = yield* Effect.match(send, {
      onSuccess: (attempt) => attempt,
      onFailure: ({ message }): Attempt => ({ _tag: "Lost", message })
    })
  }
  if (last._tag === "Done") return last.table
  return yield* icebergError("Unknown", `Whether ${what} was changed is not known: ${last.message}`)
})

/**
 * Sends a change and finds out what came of it. After a refusal, which may be the answer to a repetition of our own request,
 * or after a lost answer, the table is read back; while it shows nothing the same request goes again. Fails with `Unknown`
 * when it can't be read back, or shows nothing to the end.
 */
export const settleChange = (change: Change): Effect.Effect<Table, IcebergError> =>
  Effect.flatMap(change.send, (first) =>
    first._tag === "Done" ? Effect.succeed(first.table) : settle(change, first).pipe(withinSettling(change.what))
  )
