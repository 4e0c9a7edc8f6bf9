import { emptyFrame, FRAME_HEAD, frameAt, nextFrame } from "./frames.ts"

/** A part of a log that can't be read: positions, the first inclusive. */
export interface Damage {
  readonly from: number
  readonly to: number
}

export interface Scan {
  /** Where the records that were written last begin: what is before is on the disk for certain. */
  readonly lastGroup: number
  /** The records that were written last, as they stand in the log; what can't be read among them is marked as empty. */
  readonly bytes: Buffer
  /** How much is marked so: a write that was cut off, or damage of the last records, which looks the same. */
  readonly cut: number
}

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
  const bytes = Buffer.alloc(Math.max(end, cuts.at(-1)?.to ?? 0) - lastFirst)
  segment.copy(bytes, 0, lastFirst, end)
  for (const { from, to } of cuts) {
    // Nothing but zeros would pass for the end of the log, should the frame's head be damaged in its turn.
    bytes.fill(0xff, from - lastFirst, to - lastFirst)
    emptyFrame(to - from, start + from).copy(bytes, from - lastFirst)
  }
  return { lastGroup: start + lastFirst, bytes, cut: cuts.reduce((sum, { from, to }) => sum + to - from, 0) }
}
