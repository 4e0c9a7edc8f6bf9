import { readText, replaceFile } from "../spool/recover.ts"
import type { SpoolFiles } from "../spool/SpoolFiles.ts"

/*
 * A log can fall back behind what the lake has of it: an earlier copy of its folder is put back, or files in it vanish. What it
 * takes from then on gets positions that the lake has already, for other records. That shows when the lake is asked, by which time
 * the log may have grown beyond those positions, or its process may have ended. So each opening of a log is noted in its folder, from
 * before it takes anything until it is compared with the lake: what the lake had before an opening ends where the log began to
 * grow then, at most.
 */

const FILE = "openings"
const LINE = /^(\d{1,16}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/

/** An opening of a log that nobody has compared with the lake. */
export interface Opening {
  /** Where the log ended. */
  readonly position: number
  /** Ms since the epoch. */
  readonly at: number
}

const parse = (text: string): ReadonlyArray<Opening> =>
  text.split("\n").flatMap((line) => {
    const [, position, at] = LINE.exec(line) ?? []
    return position === undefined || at === undefined ? [] : [{ position: Number(position), at: Date.parse(at) }]
  })

/** The openings of a log that were noted, and now this one. An earlier one that says no more than a later one is left out. */
export const withOpening = async (files: SpoolFiles, opening: Opening): Promise<ReadonlyArray<Opening>> => {
  const noted = (await readText(files, FILE)) ?? ""
  return [...parse(noted).filter(({ position }) => position < opening.position), opening]
}

export const noteOpenings = (files: SpoolFiles, openings: ReadonlyArray<Opening>): Promise<void> =>
  replaceFile(files, FILE, openings.map(({ at, position }) => `${position} ${new Date(at).toISOString()}\n`).join(""))

/** To be done when the log was compared with the lake, before anything of it is brought there. */
export const forgetOpenings = async (files: SpoolFiles): Promise<void> => {
  await files.remove(FILE)
  await files.syncFolder()
}

/** How far a log can be in the lake by a watermark that was set at a time; the last of the openings is the one that asks. */
export const endBehind = (openings: ReadonlyArray<Opening>, setAt: number): number =>
  openings.reduce(
    (end, { at, position }) => (at > setAt ? Math.min(end, position) : end),
    openings.at(-1)?.position ?? Number.POSITIVE_INFINITY
  )
