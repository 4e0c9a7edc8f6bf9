import { Clock, Effect, Exit, Fiber, type Scope } from "effect"
import { StorageError } from "../../../src/domain/StorageError.ts"
import { callbackEffect } from "../../../src/lib/callbackEffect.ts"
import type { Backlog } from "../../inprocess/Backlog.ts"
import { type CommitOptions, makeCommitBatch, unavailable } from "./commitBatch.ts"
import { type WaitingRecord, WaitingRecords } from "./WaitingRecords.ts"

/**
 * While batches are in flight, another one starts as soon as this many records wait, and at each sweep with any number. A commit
 * takes the server as long for a few records as for a hundred.
 */
const NEXT_BATCH_RECORDS = 96
/**
 * How long records gather after a batch has started, unless there are enough for the next one. Otherwise, 1,000 events a second make
 * 800 batches, each of which takes this process 0.2 ms of CPU and the server 0.3 ms: a quarter of a core more.
 */
const GATHER_MS = 4
/** How late a record may be answered after its deadline, and how long it waits for others to form a batch. */
const SWEEP_MS = 100

export interface GroupCommitOptions<A> extends Pick<CommitOptions<A>, "write" | "onOutcome"> {
  /** Maximum number of records in a batch. */
  readonly batchSize: number
  /** How many batches are written at the same time. One keeps the order of the records. */
  readonly inFlight: number
  readonly timeoutMs: number
}

export interface GroupCommit<A> {
  /** Succeeds when the batch with the record is committed. A direct effect, see `callbackEffect`. */
  readonly save: (record: A, bytes: number) => Effect.Effect<void, StorageError>
  /** How many batches are being written. */
  readonly inFlight: () => number
}

/**
 * Group commit: while a batch is being written, records gather for the next one. If there are many, the next one does not wait.
 *
 * - A record that comes on its own does not wait. Small batches start at least 4 ms apart.
 * - Every record is answered by its deadline, even if its batch hangs. A hanging batch still counts as in flight, which
 *   bounds memory.
 * - After a lost connection, the same batch is written again until the deadline.
 * - When the scope closes, every accepted record is written or answered first.
 */
export const makeGroupCommit = Effect.fnUntraced(function* <A>(
  backlog: Backlog,
  options: GroupCommitOptions<A>
): Effect.fn.Return<GroupCommit<A>, never, Scope.Scope> {
  const { batchSize, inFlight: maxInFlight, timeoutMs } = options
  const clock = yield* Clock.Clock
  /** Monotonic, in ms: setting back the wall clock must not postpone a deadline. */
  const elapsed = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  /** The time of the last sweep, which deadlines count from: reading the clock for each record takes longer than queueing the record. */
  let sweptAt = elapsed()
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const overloaded = new StorageError({ reason: "Overloaded", message: "Too many records are waiting to be written." })
  const late = unavailable(`No commit within ${timeoutMs / 1_000} s.`)
  const stopping = unavailable("The collector is stopping.")
  const interrupted = unavailable("The write was interrupted.")
  const nextBatchRecords = Math.min(NEXT_BATCH_RECORDS, batchSize)

  const waiting = new WaitingRecords<A>(backlog)
  const commitBatch = makeCommitBatch<A>({ ...options, answerAll: waiting.answerAll, late, elapsed })
  const batches = new Map<Fiber.Fiber<void>, ReadonlyArray<WaitingRecord<A>>>()
  let scheduled = false
  let gathering = false
  let closed = false

  const endGathering = (): void => {
    gathering = false
    startBatches()
  }

  const startBatches = (minRecords = nextBatchRecords): void => {
    scheduled = false
    while (batches.size < maxInFlight && waiting.length >= (batches.size === 0 && !gathering ? 1 : minRecords)) {
      if (!gathering) {
        gathering = true
        setTimeout(endGathering, GATHER_MS)
      }
      const batch = waiting.takeBatch(batchSize)
      const fiber = fork(commitBatch(batch))
      batches.set(fiber, batch)
      fiber.addObserver((exit) => {
        batches.delete(fiber)
        // Only a defect or an interruption leaves records unanswered.
        if (Exit.isFailure(exit)) waiting.answerAll(batch, interrupted)
        startBatches()
      })
    }
  }

  const sweep = Effect.sync(() => {
    const now = elapsed()
    sweptAt = now
    waiting.answerAll(waiting.takeExpired(now), late)
    for (const batch of batches.values()) {
      for (const record of batch) if (record.deadline <= now) waiting.answer(record, late)
    }
    // The batches that the waiting records let go first may hang.
    startBatches(1)
  })
  yield* Effect.sleep(SWEEP_MS).pipe(Effect.andThen(sweep), Effect.forever, Effect.forkScoped)

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
        waiting.add(record, bytes, sweptAt + timeoutMs, resume)
        if (batches.size >= maxInFlight) return
        // A full next batch starts after this turn of its caller. Fewer records wait until all sockets are read.
        if (waiting.length === nextBatchRecords) queueMicrotask(startBatches)
        else if (!scheduled && !gathering) {
          scheduled = true
          setImmediate(startBatches)
        }
      }),
    inFlight: () => batches.size
  }
})
