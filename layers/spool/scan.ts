import { emptyFrame, FRAME_HEAD, frameAt, nextFrame } from "./frames.ts"

/** A part of a log that can't be read: positions, the first inclusive. */
export interface Damage {
  readonly from: number
  readonly to: number
}

export interface Scan {
  /** Where the records that are to be written again begin: what is before is on the disk for certain. */
  readonly from: number
  /**
   * These records, as they stand in the log: what was written last, and all that is in the file while that is little, so that
   * collectors that start again and again don't take a file each. What can't be read among the last ones is marked as empty.
   */
  readonly bytes: Buffer
  /** How much is marked so: a write that was cut off, or damage of the last records, which looks the same. */
  readonly cut: number
}

/** The part of a segment that is little. */
const LITTLE = 0.25
/** Bytes that are compared with zeros at once; a byte at a time, a segment takes half a second. */
const ZEROS = Buffer.alloc(64 << 10)

/** How many bytes there are up to the last one that is not 0. */
const writtenOf = (segment: Buffer): number => {
  for (let end = segment.length; end > 0; ) {
    const from = Math.max(0, end - ZEROS.length)
    const part = segment.subarray(from, end)
    if (!part.equals(ZEROS.subarray(0, part.length))) return from + part.findLastIndex((byte) => byte !== 0) + 1
    end = from
  }
  return 0
}

/**
 * Goes through the frames of a log's last segment. What can't be read before the last write is damage for certain, since each write
 * waits for the one before it; readers tell of it.
 */
export const scanSegment = (segment: Buffer, start: number): Scan => {
  const holes: Array<Damage> = []
  const written = writtenOf(segment)
  let at = 0
  let end = 0
  let lastFirst = 0
  while (at < written) {
    const frame = frameAt(segment, at, start + at)
    if (frame !== undefined) {
      if (frame.kind === "record" && frame.isFirst) lastFirst = at
      at += FRAME_HEAD + frame.length
      end = at
      continue
    }
    const next = nextFrame(segment, at + 1, (place) => start + place, written)
    if (next === undefined) break
    holes.push({ from: at, to: next })
    at = next
  }
  if (written > end) holes.push({ from: end, to: Math.max(written, end + FRAME_HEAD) })
  const cuts = holes.filter(({ from }) => from >= lastFirst)
  const first = end <= segment.length * LITTLE ? 0 : lastFirst
  const bytes = Buffer.alloc(Math.max(end, cuts.at(-1)?.to ?? 0) - first)
  segment.copy(bytes, 0, first, end)
  for (const { from, to } of cuts) {
    // Nothing but zeros would pass for the end of the log, should the frame's head be damaged in its turn.
    bytes.fill(0xff, from - first, to - first)
    emptyFrame(to - from, start + from).copy(bytes, from - first)
  }
  return { from: start + first, bytes, cut: cuts.reduce((sum, { from, to }) => sum + to - from, 0) }
}
