import { errorCode } from "../../src/lib/errorCode.ts"
import { writeAll } from "./prepare.ts"
import { SpoolError } from "./SpoolError.ts"
import type { SpoolFiles } from "./SpoolFiles.ts"
import { scanSegment } from "./scan.ts"
import { ID_FILE, PREPARED, segmentName, segmentStarts, TRIMMED_FILE } from "./segments.ts"

export interface Recovered {
  readonly id: string
  /** Everything up to here was given up. */
  readonly trimmed: number
  /** Where the log goes on. */
  readonly end: number
  /**
   * The records that come first there: what was written last, at least. That may be in the system's memory alone, after a sync that
   * failed; so it is written again, to a new file.
   */
  readonly last: Buffer
  /** Where the segments start, in order; the log goes on in a new one. */
  readonly starts: ReadonlyArray<number>
  /** Bytes of a write that was cut off. */
  readonly cut: number
}

/** Replaces a small file, all or nothing. */
export const replaceFile = async (files: SpoolFiles, name: string, text: string): Promise<void> => {
  const temporary = `${name}.tmp`
  const file = await files.create(temporary)
  try {
    await writeAll(file, Buffer.from(text), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, name)
  await files.syncFolder()
}

/** A small file; null when there is none of the name. */
export const readText = (files: SpoolFiles, name: string): Promise<string | null> =>
  files.read(name).then(
    (bytes) => Buffer.from(bytes).toString(),
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return null
      throw error
    }
  )

const POSITION = /^\d{1,16}$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const idOf = async (files: SpoolFiles): Promise<string> => {
  const known = (await readText(files, ID_FILE))?.trim()
  if (known !== undefined) {
    if (UUID.test(known)) return known
    throw new SpoolError({ reason: "Foreign", message: `its file ${ID_FILE} holds no UUID` })
  }
  const id = crypto.randomUUID()
  await replaceFile(files, ID_FILE, `${id}\n`)
  return id
}

/**
 * Finds out where the log of an earlier owner goes on: with the records that it wrote last. A write that was cut off there is no
 * damage, nobody was told that it is there. Needs the memory of one segment. Rejects with what the files reject with, and with a
 * `SpoolError` for what is no log.
 */
export const recover = async (files: SpoolFiles): Promise<Recovered> => {
  const id = await idOf(files)
  const told = (await readText(files, TRIMMED_FILE)) ?? "0"
  const trimmed = Number(told)
  if (!POSITION.test(told) || !Number.isSafeInteger(trimmed)) {
    throw new SpoolError({ reason: "Foreign", message: `its file ${TRIMMED_FILE} holds no position` })
  }
  // What is seen here may be in the system's memory alone, and what is done from here on relies on it.
  await files.syncFolder()
  await files.remove(PREPARED)
  const all = segmentStarts(await files.list())
  const starts: Array<number> = []
  for (const [index, start] of all.entries()) {
    // Given up by an owner that did not come to remove it.
    if ((all[index + 1] ?? Number.POSITIVE_INFINITY) <= trimmed) await files.remove(segmentName(start))
    else starts.push(start)
  }
  const last = starts.at(-1)
  if (last === undefined) return { id, trimmed, end: trimmed, starts, last: Buffer.alloc(0), cut: 0 }
  const { bytes, cut, from } = scanSegment(Buffer.from(await files.read(segmentName(last))), last)
  if (from + bytes.length <= trimmed) {
    await files.remove(segmentName(last))
    return { id, trimmed, end: trimmed, starts: [], last: Buffer.alloc(0), cut: 0 }
  }
  return { id, trimmed, end: from, starts, last: bytes, cut }
}
