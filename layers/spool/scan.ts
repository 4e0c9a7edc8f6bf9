import { FRAME_HEAD, frameAt, nextFrame } from "./frames.ts"

/** A part of a log that can't be read: positions, the first inclusive. */
export interface Damage {
  readonly from: number
  readonly to: number
}

export interface Scan {
  /** Where the last record ends; the segment's start when it has none. */
  readonly end: number
  readonly damages: ReadonlyArray<Damage>
}

/**
 * Goes through the frames of a log's last segment. What can't be read before a frame that can is damage; what comes after the last
 * one is the tail of a write that was cut off, or nothing.
 */
export const scanSegment = (segment: Buffer, start: number): Scan => {
  const damages: Array<Damage> = []
  let at = 0
  let end = 0
  while (at < segment.length) {
    const length = frameAt(segment, at, start + at)
    if (length > 0) {
      at += FRAME_HEAD + length
      end = at
      continue
    }
    const next = nextFrame(segment, at + 1, (place) => start + place)
    if (next === undefined) break
    damages.push({ from: start + at, to: start + next })
    at = next
  }
  return { end: start + end, damages }
}
