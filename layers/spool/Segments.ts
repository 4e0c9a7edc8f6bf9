import { prepareSegment, writeAll } from "./prepareSegment.ts"
import type { SpoolFile, SpoolFiles } from "./SpoolFiles.ts"
import { PREPARED, segmentName } from "./segmentNames.ts"

export interface SegmentsOptions {
  readonly segmentBytes: number
  /** Disk space that all segments together may take. */
  readonly maxBytes: number
  /** Whether the next segment is prepared before it is needed. */
  readonly ahead: boolean
  /** The pause between two steps of preparing a segment. */
  readonly sleep: () => Promise<void>
  /** Where the last accepted record ends. */
  readonly accepted: () => number
}

/**
 * The files of a spool. Records go to the active segment. When it is full, the prepared one becomes active.
 *
 * ```
 *   0000000000000000.log   0000000067108864.log   next.tmp
 *   ├── full ────────────┤ ├── active ▶ 0 0 0 ──┤ ├── prepared 0 0 0 ──┤
 * ```
 *
 * A segment gets its name only when its first group is in it, so that no power failure leaves a file that hides what was at its
 * position before.
 */
export class Segments {
  private readonly files: SpoolFiles
  private readonly options: SegmentsOptions
  private starts: ReadonlyArray<number>
  private active: { readonly file: SpoolFile; readonly start: number } | null = null
  /** At most one: a second would write zeros into the same file. */
  private prepared: Promise<SpoolFile> | null = null
  /** A group waits for the segment that is being prepared. */
  private rotationWaiting = false
  private isFinished = false

  constructor(files: SpoolFiles, starts: ReadonlyArray<number>, options: SegmentsOptions) {
    this.files = files
    this.starts = starts
    this.options = options
  }

  /** Disk space taken, including the prepared segment. */
  get diskBytes(): number {
    return (this.starts.length + (this.prepared === null ? 0 : 1)) * this.options.segmentBytes
  }

  private fits(end: number): boolean {
    return this.active !== null && end <= this.active.start + this.options.segmentBytes
  }

  private hasRoomForSegment(): boolean {
    return (this.starts.length + 1) * this.options.segmentBytes <= this.options.maxBytes
  }

  /** Whether records that end at this position fit into the active segment or another one. */
  hasRoomUpTo(end: number): boolean {
    return this.fits(end) || this.hasRoomForSegment()
  }

  /** Resolves when the bytes are on the disk. After a failure, `closeActive` must follow: a failed file is not used again. */
  async write(start: number, bytes: Uint8Array): Promise<void> {
    const active = this.active
    if (active === null || !this.fits(start + bytes.length)) return this.rotate(start, bytes)
    await writeAll(active.file, bytes, start - active.start)
    await active.file.sync()
  }

  /** Continues in a new segment that begins with these bytes. */
  private async rotate(start: number, bytes: Uint8Array): Promise<void> {
    this.closeActive()
    // Failures take a new segment each, so there may be no room left.
    if (!this.hasRoomForSegment()) throw new Error("it has reached SPOOL_MAX_BYTES")
    this.rotationWaiting = true
    const file = await (this.prepared ?? this.prepare()).finally(() => {
      this.rotationWaiting = false
    })
    try {
      await writeAll(file, bytes, 0)
      await file.sync()
      await this.files.rename(PREPARED, segmentName(start))
      // A segment that failed after its renaming began at the same position and is replaced.
      this.starts = [...this.starts.filter((other) => other !== start), start]
      await this.files.syncFolder()
    } catch (error) {
      file.close().catch(() => {})
      throw error
    } finally {
      this.prepared = null
    }
    this.active = { file, start }
    this.prepareAhead()
  }

  closeActive(): void {
    this.active?.file.close().catch(() => {})
    this.active = null
  }

  /** Starts preparing the next segment, if configured and if it has room. */
  prepareAhead(): void {
    if (this.options.ahead && this.hasRoomForSegment()) this.prepare()
  }

  private prepare(): Promise<SpoolFile> {
    const preparing = prepareSegment(this.files, this.options.segmentBytes, this.pause)
    this.prepared = preparing
    // A rotation that waits for it gets the error. The next attempt may find more disk space.
    preparing.catch(() => {
      if (this.prepared === preparing) this.prepared = null
    })
    return preparing
  }

  private readonly pause = (done: number): Promise<void> => {
    if (this.isFinished) return Promise.reject(new Error("the spool was closed"))
    const { accepted, segmentBytes, sleep } = this.options
    // Once the active segment fills faster than this one gets ready, with half of it as a reserve.
    const isLate = this.active !== null && accepted() - this.active.start > (done * segmentBytes) / 2
    return this.rotationWaiting || isLate ? Promise.resolve() : sleep()
  }

  /**
   * Start positions of the segments that hold nothing past `trimmed`. The newest one's records end at `durable`, unless it is still
   * written to or is about to be replaced (`isCarryingOver`). Names of later segments are `durable` or higher.
   */
  removable(trimmed: number, durable: number, isCarryingOver: boolean): ReadonlyArray<number> {
    const newestEnd = this.active === null && !isCarryingOver ? durable : Number.POSITIVE_INFINITY
    return this.starts.filter((start, index) => start < durable && (this.starts[index + 1] ?? newestEnd) <= trimmed)
  }

  async remove(start: number): Promise<void> {
    await this.files.remove(segmentName(start))
    this.starts = this.starts.filter((other) => other !== start)
  }

  /** Stops preparing. */
  finish(): void {
    this.isFinished = true
  }

  async discardPrepared(): Promise<void> {
    const waiting = this.prepared
    if (waiting === null) return
    this.prepared = null
    try {
      await (await waiting).close()
      await this.files.remove(PREPARED)
    } catch {
      // It could not be prepared or removed; the next owner removes it.
    }
  }
}
