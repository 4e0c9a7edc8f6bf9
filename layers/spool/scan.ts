import { emptyFrame, FRAME_HEAD, frameAt, nextFrame } from "./frames.ts"

/** A part of a spool that cannot be read: positions, the first inclusive. */
export interface Damage {
  readonly from: number
  readonly to: number
}

/**
 * What is to be written again of a spool's newest segment.
 *
 * ```
 *   start                   from
 *   │ frame │ frame │ frame │ FIRST frame │ frame │ damaged │ 0 0 0 …
 *   └ on the disk for sure ─┘└ last write ───────────────────┘
 *                             bytes: the frames, and an empty frame for what is damaged
 * ```
 */
export interface Scan {
  /** Position of the first byte of `bytes`. What precedes it is on the disk for sure. */
  readonly from: number
  /**
   * The frames of the last write. If the segment holds little, all of it, so that collectors that restart repeatedly do not each use
   * a file. What cannot be read among the last write's frames is replaced by empty frames.
   */
  readonly bytes: Buffer
  /** Bytes that were replaced: an incomplete write, or damage of the last write, which looks the same. */
  readonly cut: number
}

/** The part of a segment that counts as little. */
const LITTLE = 0.25
/** Bytes that are compared with zeros at once; one byte at a time, a segment takes half a second. */
const ZEROS = Buffer.alloc(64 << 10)

/** The number of bytes up to the last one that is not 0. */
const writtenLength = (segment: Buffer): number => {
  for (let end = segment.length; end > 0; ) {
    const from = Math.max(0, end - ZEROS.length)
    const part = segment.subarray(from, end)
    if (!part.equals(ZEROS.subarray(0, part.length))) return from + part.findLastIndex((byte) => byte !== 0) + 1
    end = from
  }
  return 0
}

/**
 * Walks the frames of a spool's newest segment. What cannot be read before the last write is damaged for sure, since each write waits
 * for the one before it; readers report it.
 */
export const scanSegment = (segment: Buffer, start: number): Scan => {
  const unreadable: Array<Damage> = []
  const written = writtenLength(segment)
  let offset = 0
  let end = 0
  let lastWrite = 0
  while (offset < written) {
    const frame = frameAt(segment, offset, start + offset)
    if (frame !== null) {
      if (frame.kind === "record" && frame.isFirst) lastWrite = offset
      offset += FRAME_HEAD + frame.length
      end = offset
      continue
    }
    const next = nextFrame(segment, offset + 1, (found) => start + found, written)
    if (next === null) break
    unreadable.push({ from: offset, to: next })
    offset = next
  }
  if (written > end) unreadable.push({ from: end, to: Math.max(written, end + FRAME_HEAD) })
  const cuts = unreadable.filter(({ from }) => from >= lastWrite)
  const first = end <= segment.length * LITTLE ? 0 : lastWrite
  const bytes = Buffer.alloc(Math.max(end, cuts.at(-1)?.to ?? 0) - first)
  segment.copy(bytes, 0, first, end)
  for (const { from, to } of cuts) {
    // If this frame's head gets damaged too, zeros would look like the end of the spool.
    bytes.fill(0xff, from - first, to - first)
    emptyFrame(to - from, start + from).copy(bytes, from - first)
  }
  return { from: start + first, bytes, cut: cuts.reduce((sum, { from, to }) => sum + to - from, 0) }
}
