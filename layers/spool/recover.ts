import { SpoolError } from "./SpoolError.ts"
import type { SpoolFiles } from "./SpoolFiles.ts"
import { scanSegment } from "./scan.ts"
import { ID_FILE, PREPARED, segmentName, segmentStarts, TRIMMED_FILE } from "./segmentNames.ts"
import { readSmallFile, replaceFile } from "./smallFiles.ts"

/**
 * What the previous owner of a spool left.
 *
 * ```
 *   trimmed          end
 *   │                │
 *   │ … records …    │ last │ cut │
 *                    └──────┴─────┴─ written again, to a new segment
 * ```
 */
export interface Recovered {
  readonly id: string
  /** Everything up to here was trimmed. */
  readonly trimmed: number
  /** Where the spool continues, with `last`. */
  readonly end: number
  /**
   * The frames from `end` on: at least those of the last write. After a failed sync they may be only in the system's memory, so they
   * are written again, to a new file.
   */
  readonly last: Buffer
  /** Start positions of the segments, in order. The spool continues in a new one. */
  readonly starts: ReadonlyArray<number>
  /** Bytes of an incomplete write. */
  readonly cut: number
}

const POSITION = /^\d{1,16}$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const idOf = async (files: SpoolFiles): Promise<string> => {
  const known = (await readSmallFile(files, ID_FILE))?.trim()
  if (known !== undefined) {
    if (UUID.test(known)) return known
    throw new SpoolError({ reason: "Foreign", message: `its file ${ID_FILE} does not contain a UUID` })
  }
  const id = crypto.randomUUID()
  await replaceFile(files, ID_FILE, `${id}\n`)
  return id
}

const trimmedOf = async (files: SpoolFiles): Promise<number> => {
  const content = (await readSmallFile(files, TRIMMED_FILE)) ?? "0"
  const trimmed = Number(content)
  if (POSITION.test(content) && Number.isSafeInteger(trimmed)) return trimmed
  throw new SpoolError({ reason: "Foreign", message: `its file ${TRIMMED_FILE} does not contain a position` })
}

/**
 * Finds where a spool continues. An incomplete write at the end is not damage: no client got an answer for it. Needs memory for
 * one segment. Rejects with the files' errors, and with a `SpoolError` if the files are not a spool's.
 */
export const recover = async (files: SpoolFiles): Promise<Recovered> => {
  const id = await idOf(files)
  const trimmed = await trimmedOf(files)
  // What is visible may be only in the system's memory, and everything from here on relies on it.
  await files.syncFolder()
  await files.remove(PREPARED)
  const all = segmentStarts(await files.list())
  const starts: Array<number> = []
  for (const [index, start] of all.entries()) {
    // Trimmed by an owner that ended before it removed the file.
    if ((all[index + 1] ?? Number.POSITIVE_INFINITY) <= trimmed) await files.remove(segmentName(start))
    else starts.push(start)
  }
  const newest = starts.at(-1)
  if (newest === undefined) return { id, trimmed, end: trimmed, starts, last: Buffer.alloc(0), cut: 0 }
  const { bytes, cut, from } = scanSegment(Buffer.from(await files.read(segmentName(newest))), newest)
  if (from + bytes.length <= trimmed) {
    await files.remove(segmentName(newest))
    return { id, trimmed, end: trimmed, starts: [], last: Buffer.alloc(0), cut: 0 }
  }
  return { id, trimmed, end: from, starts, last: bytes, cut }
}
