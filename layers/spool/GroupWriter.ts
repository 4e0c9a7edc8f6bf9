import { type Context, Exit } from "effect"
import type { StorageError } from "../../src/domain/StorageError.ts"
import type { Backlog } from "../inprocess/Backlog.ts"
import { FRAME_HEAD } from "./frames.ts"
import { type Entry, Group } from "./Group.ts"
import { appendedBytes, appendedRecords, failedSyncs, syncSeconds } from "./metrics.ts"
import type { Refusals } from "./refusals.ts"
import type { Segments } from "./Segments.ts"
import { ioProblem } from "./SpoolError.ts"

const FIRST_GROUP_BYTES = 64 << 10
/** A UTF-16 unit is at most this many bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3
/** A spool without room for this much is not ready: most events take half a kilobyte, three times that before their size is known. */
const COMMON_RECORD = 4 << 10

/** The times that a spool needs, in ms. */
export interface SpoolClock {
  readonly monotonic: () => number
  /** Since the epoch. */
  readonly now: () => number
}

export interface GroupWriterOptions {
  readonly groupBytes: number
  readonly maxRecordBytes: number
  readonly timeoutMs: number
  /** Where the previous owner's records end that need not be written again. */
  readonly end: number
  /** The previous owner's last frames, which are written again first. */
  readonly last: Buffer
  readonly trimmed: number
  readonly refusals: Refusals
  readonly clock: SpoolClock
  readonly context: Context.Context<never>
}

/**
 * Gathers records and writes them in groups.
 *
 * ```
 *   append ─▶ gathering ──┐                      ┌─▶ answer the group's records
 *                         └─▶ writing: write, fdatasync
 *             gathering ──┘   (records gather for the next group meanwhile)
 * ```
 *
 * Nothing waits on purpose: a group is written as soon as the previous one is on the disk. A group that cannot be written or synced
 * fails, together with the records that gather behind it, and is never retried on the same file, because the kernel may have dropped
 * what it could not write.
 */
export class GroupWriter {
  /** Where the last accepted record ends. */
  accepted: number
  /** Everything up to here is on the disk. */
  durable: number
  lastSuccessAt: number | null = null
  lastError: { readonly at: number; readonly message: string } | null = null
  private readonly segments: Segments
  private readonly backlog: Backlog
  private readonly options: GroupWriterOptions
  private readonly refusals: Refusals
  private readonly clock: SpoolClock
  /** What the previous owner wrote last, until it is on the disk again. */
  private carriedOver: Buffer | null
  private gathering: Group
  private writing: Group | null = null
  /** On the monotonic clock, in ms. */
  private writingSince = 0
  /** Resolves when the current group is written or has failed. */
  private written: Promise<void> = Promise.resolve()
  /** The buffer of the last group, for the next one. */
  private spare: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(FIRST_GROUP_BYTES)
  private isScheduled = false
  /** Why the last group failed; null while writing works. */
  private problem: string | null = null
  /** Whether no more records are accepted. */
  isClosed = false
  /** When deadlines were last checked, on the monotonic clock. Reading the clock for each record would be expensive. */
  private sweptAt: number

  constructor(segments: Segments, backlog: Backlog, options: GroupWriterOptions) {
    this.segments = segments
    this.backlog = backlog
    this.options = options
    this.refusals = options.refusals
    this.clock = options.clock
    this.accepted = options.end
    this.durable = Math.max(options.end, options.trimmed)
    this.carriedOver = options.last.length === 0 ? null : options.last
    this.sweptAt = this.clock.monotonic()
    this.gathering = this.firstGroup(Buffer.allocUnsafeSlow(FIRST_GROUP_BYTES))
  }

  get isCarryingOver(): boolean {
    return this.carriedOver !== null
  }

  /** Where the last record ends that a client got an answer for: of this process, or of the previous owner. */
  get acknowledged(): number {
    return Math.max(this.durable, this.carriedOver === null ? 0 : this.options.end + this.carriedOver.length)
  }

  /** Why the last group could not be written; null while writing works. */
  get failure(): string | null {
    return this.problem
  }

  /** Groups being written: 1 or 0. */
  get inFlight(): number {
    return this.writing === null ? 0 : 1
  }

  /** Resolves when the group that is being written is done. */
  get idle(): Promise<void> {
    return this.written
  }

  /** Whether a common record would be accepted now. */
  get isReady(): boolean {
    const { groupBytes } = this.options
    const common = Math.min(COMMON_RECORD, groupBytes >> 2)
    return (
      this.problem === null &&
      !this.isClosed &&
      !this.isStalled() &&
      this.gathering.length + common <= groupBytes &&
      this.backlog.hasRoom(common) &&
      this.segments.hasRoomUpTo(this.accepted + common)
    )
  }

  /** Accepts a record, or answers at once why not. */
  append(record: string, resume: Entry["resume"]): void {
    const refusal = this.refusalOf(record)
    if (refusal !== null) {
      resume(Exit.fail(refusal))
      return
    }
    const bytes = this.gathering.append(record, this.accepted)
    this.accepted += bytes
    this.gathering.entries.push({
      bytes,
      number: this.backlog.add(bytes),
      deadline: this.sweptAt + this.options.timeoutMs,
      resume,
      answered: false
    })
    if (!this.isScheduled && this.writing === null) {
      this.isScheduled = true
      setImmediate(this.writeGathered)
    }
  }

  /** Why the record is not accepted. If null, the gathering group has room for it. */
  private refusalOf(record: string): StorageError | null {
    const { groupBytes, maxRecordBytes } = this.options
    if (this.isClosed) return this.refusals.stopping
    if (this.problem !== null) return this.refusals.unwritable(this.problem)
    if (this.isStalled()) return this.refusals.timedOut
    if (record.length === 0) return this.refusals.empty
    let maxBytes = record.length * MAX_BYTES_PER_UNIT + FRAME_HEAD
    if (maxBytes > groupBytes) maxBytes = Buffer.byteLength(record) + FRAME_HEAD
    if (maxBytes > maxRecordBytes + FRAME_HEAD) return this.refusals.tooLong
    if (this.gathering.length + maxBytes > groupBytes && this.gathering.length > 0) return this.refusals.tooManyWaiting
    if (!this.backlog.hasRoom(maxBytes)) return this.refusals.tooManyWaiting
    if (!this.segments.hasRoomUpTo(this.accepted + maxBytes)) return this.refusals.full
    this.gathering.reserve(maxBytes)
    return null
  }

  /** The disk has not answered for longer than a record may wait. */
  private isStalled(): boolean {
    return this.writing !== null && this.sweptAt - this.writingSince > this.options.timeoutMs
  }

  private firstGroup(buffer: Buffer<ArrayBuffer>): Group {
    const group = new Group(buffer, this.accepted)
    if (this.carriedOver !== null) {
      group.carryOver(this.carriedOver)
      this.accepted += this.carriedOver.length
    }
    return group
  }

  /** Writes what has gathered, unless a group is being written: then that follows by itself. */
  readonly writeGathered = (): void => {
    this.isScheduled = false
    if (this.writing === null && this.problem === null && this.gathering.length > 0) this.writeNext()
  }

  private writeNext(): void {
    const group = this.gathering
    this.writing = group
    this.writingSince = this.clock.monotonic()
    this.gathering = new Group(this.spare, this.accepted)
    this.written = this.write(group).then(() => {
      this.writing = null
      this.spare = group.buffer
      this.writeGathered()
    })
  }

  private async write(group: Group): Promise<void> {
    const began = this.clock.monotonic()
    try {
      await this.segments.write(group.start, group.bytes)
    } catch (error) {
      this.fail(group, error)
      return
    }
    this.problem = null
    this.durable = Math.max(this.durable, group.start + group.length)
    this.carriedOver = null
    this.lastSuccessAt = this.clock.now()
    const { context } = this.options
    syncSeconds.updateUnsafe((this.clock.monotonic() - began) / 1_000, context)
    appendedRecords.updateUnsafe(group.entries.length, context)
    appendedBytes.updateUnsafe(group.length, context)
    for (const entry of group.entries) this.answer(entry, null)
  }

  private fail(group: Group, error: unknown): void {
    this.problem = ioProblem(error)
    if (group.length > 0) failedSyncs.updateUnsafe(1, this.options.context)
    const refusal = this.refusals.unwritable(this.problem)
    this.lastError = { at: this.clock.now(), message: refusal.message }
    this.segments.closeActive()
    // The failed group's positions are used again, so the records that gathered behind it cannot keep theirs.
    const waiting = [...group.entries, ...this.gathering.entries]
    this.accepted = group.start
    this.gathering = this.firstGroup(this.gathering.buffer)
    for (const entry of waiting) this.answer(entry, refusal)
  }

  private answer(entry: Entry, error: StorageError | null): void {
    if (entry.answered) return
    entry.answered = true
    this.backlog.remove(entry.number, entry.bytes, error)
    entry.resume(error === null ? Exit.void : Exit.fail(error))
  }

  private unanswered(): ReadonlyArray<Entry> {
    return [this.writing, this.gathering].flatMap((group) => group?.entries.filter(({ answered }) => !answered) ?? [])
  }

  /** After a failure, tries a new segment with whatever has gathered, even nothing. */
  async retry(): Promise<void> {
    if (this.problem === null || this.writing !== null || this.isClosed) return
    this.writeNext()
    await this.written
  }

  /** Answers records whose deadline has passed. */
  sweep(): void {
    this.sweptAt = this.clock.monotonic()
    for (const entry of this.unanswered()) {
      if (entry.deadline > this.sweptAt) continue
      this.lastError = { at: this.clock.now(), message: this.refusals.timedOut.message }
      this.answer(entry, this.refusals.timedOut)
    }
  }

  /** Accepts nothing more. What was accepted is still written. */
  close(): void {
    this.isClosed = true
  }

  /** Answers what is still waiting when the process cannot wait for the disk any longer. */
  abandon(): void {
    for (const entry of this.unanswered()) this.answer(entry, this.refusals.stopping)
  }
}
