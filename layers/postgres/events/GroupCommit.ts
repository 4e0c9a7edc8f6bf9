import { Clock, Effect, Exit, Fiber, type Scope } from "effect"
import type { SqlError } from "effect/sql"
import { StorageError } from "../../../src/domain/StorageError.ts"
import { callbackEffect } from "../../../src/lib/callbackEffect.ts"
import type { Backlog } from "../../inprocess/Backlog.ts"
import { failureOf } from "./failure.ts"

/** A batch's parameters are built in memory at once: this many estimated bytes, however few records that are. */
const BATCH_BYTES = 4 << 20
/**
 * Beside batches that are on their way, another one begins when so many records wait, and with each sweep: a commit costs a
 * server as much for a few as for a hundred.
 */
const BESIDE_RECORDS = 96
/** Waits between attempts double from the first to the second figure: a restarting server is back in a second or two. */
const FIRST_RETRY_MS = 25
const LAST_RETRY_MS = 500
/** How late a waiter may be answered after its deadline, and how long one at most waits for company. */
const SWEEP_MS = 100

/** A batch that is committed, with the time it took from its first byte; or why a write failed. */
export type Outcome =
  | { readonly _tag: "Stored"; readonly records: number; readonly seconds: number }
  | { readonly _tag: "Failed"; readonly message: string; readonly ofRecord: boolean }

export interface GroupCommitOptions<A> {
  readonly batchSize: number
  /** Batches written at the same time. One keeps the order of records. */
  readonly inFlight: number
  readonly timeoutMs: number
  /** Stores a batch, all or nothing. Storing it again must change nothing. */
  readonly write: (records: ReadonlyArray<A>) => Effect.Effect<void, SqlError.SqlError>
  /** Told of every outcome; a failure that is not of a record's making comes once for each attempt. */
  readonly onOutcome: (outcome: Outcome) => void
}

export interface GroupCommit<A> {
  /** Resumes when the batch that holds the record is committed. */
  readonly save: (record: A, bytes: number) => Effect.Effect<void, StorageError>
  readonly inFlight: () => number
}

interface Entry<A> {
  readonly record: A
  readonly bytes: number
  readonly number: number
  /** On the monotonic clock, in ms. */
  readonly deadline: number
  readonly resume: (exit: Exit.Exit<void, StorageError>) => void
  answered: boolean
}

const unavailable = (message: string) => new StorageError({ reason: "Unavailable", message })

/**
 * Group commit: while a batch is being written, records gather for the next one; when they are many, the next one does not wait
 * for it. Every record is answered by its deadline, even if its batch hangs; a hanging batch keeps its place
 * among those in flight, so that never more than those are held in memory. After a lost connection the same batch is tried
 * again until the deadline. A batch that can't be stored for its data is halved until the culprits stand alone. When the
 * scope closes, what was accepted is written or answered first.
 */
export const makeGroupCommit = Effect.fnUntraced(function* <A>(
  backlog: Backlog,
  options: GroupCommitOptions<A>
): Effect.fn.Return<GroupCommit<A>, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  /** Monotonic, in ms: a wall clock that is set back would put every deadline off. */
  const elapsed = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  /** The time at the last sweep: reading the clock for each record costs more than keeping the record. */
  let lately = elapsed()
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const overloaded = new StorageError({ reason: "Overloaded", message: "Too many records wait to be written." })
  const late = unavailable(`No commit within ${options.timeoutMs / 1_000} s.`)
  const stopping = unavailable("The collector is stopping.")
  const besideRecords = Math.min(BESIDE_RECORDS, options.batchSize)
  const batches = new Map<Fiber.Fiber<void>, ReadonlyArray<Entry<A>>>()
  let queue: Array<Entry<A>> = []
  let scheduled = false
  let closed = false

  const answer = (entry: Entry<A>, failure: StorageError | undefined): void => {
    if (entry.answered) return
    entry.answered = true
    backlog.remove(entry.number, entry.bytes, failure ?? null)
    entry.resume(failure === undefined ? Exit.void : Exit.fail(failure))
  }
  const answerAll = (entries: ReadonlyArray<Entry<A>>, failure: StorageError | undefined): void => {
    for (const entry of entries) answer(entry, failure)
  }

  const commit = (entries: ReadonlyArray<Entry<A>>, retryMs = FIRST_RETRY_MS): Effect.Effect<void> => {
    const startedAt = elapsed()
    const left = entries.at(-1)!.deadline - startedAt
    if (left <= 0) return Effect.sync(() => answerAll(entries, late))
    return Effect.suspend(() => options.write(entries.map((entry) => entry.record))).pipe(
      Effect.timeoutOption(left),
      Effect.matchEffect({
        onSuccess: (written) =>
          Effect.sync(() => {
            if (written._tag === "None") {
              options.onOutcome({ _tag: "Failed", message: late.message, ofRecord: false })
              return answerAll(entries, late)
            }
            options.onOutcome({ _tag: "Stored", records: entries.length, seconds: (elapsed() - startedAt) / 1_000 })
            answerAll(entries, undefined)
          }),
        onFailure: (error) => {
          const failure = failureOf(error)
          options.onOutcome({ _tag: "Failed", message: failure.message, ofRecord: failure._tag === "Record" })
          if (failure._tag === "Record" && entries.length > 1) {
            const half = entries.length >> 1
            return Effect.andThen(
              commit(entries.slice(0, half)),
              Effect.suspend(() => commit(entries.slice(half)))
            )
          }
          if (failure._tag === "Record") {
            return Effect.sync(() =>
              answerAll(entries, new StorageError({ reason: "Refused", message: failure.message }))
            )
          }
          if (failure._tag === "Stop") return Effect.sync(() => answerAll(entries, unavailable(failure.message)))
          return Effect.andThen(
            Effect.sleep(retryMs),
            Effect.suspend(() => {
              const waiting = entries.filter((entry) => !entry.answered)
              return waiting.length === 0 ? Effect.void : commit(waiting, Math.min(retryMs * 2, LAST_RETRY_MS))
            })
          )
        }
      })
    )
  }

  /** The longest run of waiting records that one statement may hold. */
  const takeBatch = (): ReadonlyArray<Entry<A>> => {
    let count = 0
    let bytes = 0
    const most = Math.min(queue.length, options.batchSize)
    while (count < most && (count === 0 || bytes + queue[count]!.bytes <= BATCH_BYTES)) bytes += queue[count++]!.bytes
    if (count < queue.length) return queue.splice(0, count)
    const all = queue
    queue = []
    return all
  }

  const writeWaiting = (beside = besideRecords): void => {
    scheduled = false
    while (batches.size < options.inFlight && queue.length >= (batches.size === 0 ? 1 : beside)) {
      const entries = takeBatch()
      const fiber = fork(commit(entries))
      batches.set(fiber, entries)
      fiber.addObserver((exit) => {
        batches.delete(fiber)
        // Nothing is left to answer but after a defect or an interruption.
        if (Exit.isFailure(exit)) answerAll(entries, unavailable("The write was broken off."))
        writeWaiting()
      })
    }
  }

  yield* Effect.sleep(SWEEP_MS).pipe(
    Effect.andThen(
      Effect.sync(() => {
        const now = elapsed()
        lately = now
        const expired = queue.findIndex((entry) => entry.deadline > now)
        answerAll(queue.splice(0, expired === -1 ? queue.length : expired), late)
        for (const entries of batches.values()) {
          for (const entry of entries) if (entry.deadline <= now) answer(entry, late)
        }
        // The batches that these let go first may be hanging.
        writeWaiting(1)
      })
    ),
    Effect.forever,
    Effect.forkScoped
  )

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      closed = true
      yield* Effect.ignore(backlog.flush)
      yield* Fiber.interruptAll(batches.keys())
    })
  )

  return {
    save: (record, bytes) =>
      callbackEffect((resume) => {
        if (closed) return resume(Exit.fail(stopping))
        if (!backlog.hasRoom(bytes)) return resume(Exit.fail(overloaded))
        const deadline = lately + options.timeoutMs
        queue.push({ record, bytes, number: backlog.add(bytes), deadline, resume, answered: false })
        if (batches.size >= options.inFlight) return
        // Enough of them do not wait until all sockets were read, but until who gives them has no more.
        if (queue.length === besideRecords) queueMicrotask(writeWaiting)
        else if (!scheduled) {
          scheduled = true
          setImmediate(writeWaiting)
        }
      }),
    inFlight: () => batches.size
  }
})
