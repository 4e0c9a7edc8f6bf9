import type { SpoolFiles } from "../spool/SpoolFiles.ts"
import { readSmallFile, replaceFile } from "../spool/smallFiles.ts"

/*
 * A spool can be rolled back: an older copy of its folder is restored, or files in it are lost. Records that it accepts from then on
 * get positions that the destination already has, for other records.
 *
 *   accepted   |────────────────────────▶ 900     the destination's watermark: 900
 *   restored   |──────────▶ 400                   opening noted: 400
 *   accepted   |──────────▶ 400 ────────────▶ 1000
 *                               └ not stored, although 900 > 400
 *
 * The destination is asked later, when the spool may have grown past the watermark or its process may have ended. So each opening is
 * noted in the spool's folder before the spool accepts anything, and kept until the destination was compared with it: of what the
 * watermark covered at that opening, only the part up to the noted position is in the spool.
 */

const FILE = "openings"
const LINE = /^(\d{1,16}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/

/** An opening of a spool that has not been compared with the destination yet. */
export interface Opening {
  /** Where the spool ended. */
  readonly position: number
  /** Ms since the epoch. */
  readonly at: number
}

const parse = (lines: string): ReadonlyArray<Opening> =>
  lines.split("\n").flatMap((line) => {
    const [, position, at] = LINE.exec(line) ?? []
    return position === undefined || at === undefined ? [] : [{ position: Number(position), at: Date.parse(at) }]
  })

/** The noted openings and this one. Earlier ones at the same or a later position are left out: this one implies them. */
export const withOpening = async (files: SpoolFiles, opening: Opening): Promise<ReadonlyArray<Opening>> => {
  const noted = (await readSmallFile(files, FILE)) ?? ""
  return [...parse(noted).filter(({ position }) => position < opening.position), opening]
}

export const noteOpenings = (files: SpoolFiles, openings: ReadonlyArray<Opening>): Promise<void> =>
  replaceFile(files, FILE, openings.map(({ at, position }) => `${position} ${new Date(at).toISOString()}\n`).join(""))

/** Called once the destination was compared with the spool, before anything is written to it. */
export const clearOpenings = async (files: SpoolFiles): Promise<void> => {
  await files.remove(FILE)
  await files.syncFolder()
}

/** The highest position that a watermark set at this time can mean. The last opening is the current one. */
export const rewindTarget = (openings: ReadonlyArray<Opening>, setAt: number): number =>
  openings.reduce(
    (end, { at, position }) => (at > setAt ? Math.min(end, position) : end),
    openings.at(-1)?.position ?? Number.POSITIVE_INFINITY
  )
