import { Exit } from "effect"
import type { StorageError } from "../../../src/domain/StorageError.ts"
import type { Backlog } from "../../inprocess/Backlog.ts"

/** The parameters of a batch are built in memory at once, so it has at most about this many bytes, however few its records. */
const BATCH_BYTES = 4 << 20

export interface WaitingRecord<A> {
  readonly record: A
  /** Estimated. */
  readonly bytes: number
  /** In the order of acceptance. */
  readonly number: number
  /** On the monotonic clock, in ms. */
  readonly deadline: number
  readonly resume: (exit: Exit.Exit<void, StorageError>) => void
  answered: boolean
}

/** Answers records, with success if the failure is null. Only the first answer of a record counts. */
export type AnswerAll<A> = (records: ReadonlyArray<WaitingRecord<A>>, failure: StorageError | null) => void

/** Records that wait to be written, in order. They count in the backlog until they are answered. */
export class WaitingRecords<A> {
  readonly #backlog: Backlog
  #queue: Array<WaitingRecord<A>> = []

  constructor(backlog: Backlog) {
    this.#backlog = backlog
  }

  get length(): number {
    return this.#queue.length
  }

  add(record: A, bytes: number, deadline: number, resume: WaitingRecord<A>["resume"]): void {
    this.#queue.push({ record, bytes, number: this.#backlog.add(bytes), deadline, resume, answered: false })
  }

  /** Removes as many of the first records as one statement may hold; at least one. */
  takeBatch(maxRecords: number): ReadonlyArray<WaitingRecord<A>> {
    const queue = this.#queue
    let count = 0
    let bytes = 0
    const limit = Math.min(queue.length, maxRecords)
    while (count < limit && (count === 0 || bytes + queue[count]!.bytes <= BATCH_BYTES)) bytes += queue[count++]!.bytes
    if (count < queue.length) return queue.splice(0, count)
    this.#queue = []
    return queue
  }

  /** Removes the records whose deadline has passed. */
  takeExpired(now: number): ReadonlyArray<WaitingRecord<A>> {
    const alive = this.#queue.findIndex(({ deadline }) => deadline > now)
    return this.#queue.splice(0, alive === -1 ? this.#queue.length : alive)
  }

  answer(waiting: WaitingRecord<A>, failure: StorageError | null): void {
    if (waiting.answered) return
    waiting.answered = true
    this.#backlog.remove(waiting.number, waiting.bytes, failure)
    waiting.resume(failure === null ? Exit.void : Exit.fail(failure))
  }

  readonly answerAll: AnswerAll<A> = (records, failure) => {
    for (const waiting of records) this.answer(waiting, failure)
  }
}
