import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { StorageError } from "../../../src/domain/StorageError.ts"
import { failureOf } from "./failure.ts"
import type { AnswerAll, WaitingRecord } from "./WaitingRecords.ts"

/** Waits between attempts double from the first to the last value: a restarting server is back in a second or two. */
const FIRST_RETRY_MS = 25
const LAST_RETRY_MS = 500

/** A committed batch with the time since its statement was sent, or why a write failed. */
export type Outcome =
  | { readonly _tag: "Stored"; readonly records: number; readonly seconds: number }
  | { readonly _tag: "Failed"; readonly message: string; readonly causedByRecord: boolean }

export interface CommitOptions<A> {
  /** Stores a batch, all or nothing. Storing it again must change nothing. */
  readonly write: (records: ReadonlyArray<A>) => Effect.Effect<void, SqlError.SqlError>
  /** Called after each attempt to store a batch. */
  readonly onOutcome: (outcome: Outcome) => void
  readonly answerAll: AnswerAll<A>
  /** The answer when a deadline has passed. */
  readonly late: StorageError
  /** The monotonic clock, in ms. */
  readonly elapsed: () => number
}

export const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

/**
 * Writes batches and answers their records. A write that may succeed later is repeated until the deadline. A batch with a record
 * that cannot be stored is halved until that record is on its own. Never fails.
 */
export const makeCommitBatch = <A>({ answerAll, elapsed, late, onOutcome, write }: CommitOptions<A>) => {
  type Batch = ReadonlyArray<WaitingRecord<A>>

  const commit = (batch: Batch, retryMs = FIRST_RETRY_MS): Effect.Effect<void> => {
    const startedAt = elapsed()
    const remainingMs = batch.at(-1)!.deadline - startedAt
    if (remainingMs <= 0) return Effect.sync(() => answerAll(batch, late))
    return Effect.suspend(() => write(batch.map(({ record }) => record))).pipe(
      Effect.timeoutOption(remainingMs),
      Effect.matchEffect({
        onSuccess: (written) =>
          Effect.sync(() => {
            if (written._tag === "None") {
              onOutcome({ _tag: "Failed", message: late.message, causedByRecord: false })
              return answerAll(batch, late)
            }
            onOutcome({ _tag: "Stored", records: batch.length, seconds: (elapsed() - startedAt) / 1_000 })
            answerAll(batch, null)
          }),
        onFailure: (error) => handleFailure(batch, retryMs, error)
      })
    )
  }

  const handleFailure = (batch: Batch, retryMs: number, error: SqlError.SqlError): Effect.Effect<void> => {
    const failure = failureOf(error)
    onOutcome({ _tag: "Failed", message: failure.message, causedByRecord: failure._tag === "Record" })
    switch (failure._tag) {
      case "Record":
        return batch.length > 1
          ? halve(batch)
          : Effect.sync(() => answerAll(batch, new StorageError({ reason: "Refused", message: failure.message })))
      case "Stop":
        return Effect.sync(() => answerAll(batch, unavailable(failure.message)))
      case "Retry":
        return retry(batch, retryMs)
    }
  }

  const halve = (batch: Batch): Effect.Effect<void> => {
    const half = batch.length >> 1
    return Effect.andThen(
      commit(batch.slice(0, half)),
      Effect.suspend(() => commit(batch.slice(half)))
    )
  }

  // Not Effect.retry with a Schedule, which repeats the same effect: each attempt leaves out the records answered meanwhile.
  const retry = (batch: Batch, retryMs: number): Effect.Effect<void> =>
    Effect.andThen(
      Effect.sleep(retryMs),
      Effect.suspend(() => {
        const waiting = batch.filter(({ answered }) => !answered)
        return waiting.length === 0 ? Effect.void : commit(waiting, Math.min(retryMs * 2, LAST_RETRY_MS))
      })
    )

  return (batch: Batch): Effect.Effect<void> => commit(batch)
}
