import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { errorCode } from "../../src/lib/errorCode.ts"
import { scanSegment } from "./scan.ts"
import { isSpoolName, segmentName, segmentStarts, TRIMMED_FILE } from "./segmentNames.ts"

const unlessMissing =
  <A>(otherwise: A) =>
  (error: unknown): A => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return otherwise
    throw error
  }

/** Bytes of a spool that are not trimmed, read without opening it; an owner may use it. Rejects with the file system's errors. */
export const leftIn = async (folder: string): Promise<number> => {
  const newest = segmentStarts(await readdir(folder).catch(unlessMissing<Array<string>>([]))).at(-1)
  if (newest === undefined) return 0
  const trimmed = Number(await readFile(join(folder, TRIMMED_FILE), "utf8").catch(unlessMissing("0")))
  const segment = await readFile(join(folder, segmentName(newest))).catch(unlessMissing(Buffer.alloc(0)))
  const { bytes, from } = scanSegment(segment, newest)
  return Math.max(0, from + bytes.length - trimmed)
}

export interface Leftover {
  readonly folder: string
  readonly bytes: number
}

/** The spools under a folder that have records in them. Rejects with the file system's errors. */
export const leftovers = async (root: string): Promise<ReadonlyArray<Leftover>> => {
  const names = await readdir(root).catch(unlessMissing<Array<string>>([]))
  const found: Array<Leftover> = []
  for (const name of names.filter(isSpoolName).sort()) {
    const folder = join(root, name)
    found.push({ folder, bytes: await leftIn(folder) })
  }
  return found.filter(({ bytes }) => bytes > 0)
}
