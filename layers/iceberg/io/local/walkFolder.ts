import type { Stats } from "node:fs"
import { opendir, stat } from "node:fs/promises"
import { join } from "node:path"
import type { StoredObject } from "../ObjectStore.ts"
import { nullIfAbsent } from "./fileFailure.ts"

export const storedObject = (location: string, { mtimeMs, size }: Stats): StoredObject => ({
  location,
  size,
  modifiedAt: Math.trunc(mtimeMs)
})

/** The files of a folder, depth first. Files removed meanwhile are left out, and a missing folder is empty. */
export async function* walkFolder(path: string, location: string): AsyncGenerator<StoredObject> {
  const folder = await opendir(path).catch(nullIfAbsent)
  if (folder === null) return
  for await (const entry of folder) {
    const entryPath = join(path, entry.name)
    const entryLocation = `${location}${entry.name}`
    if (entry.isDirectory()) yield* walkFolder(entryPath, `${entryLocation}/`)
    else if (entry.isFile()) {
      const stats = await stat(entryPath).catch(nullIfAbsent)
      if (stats !== null) yield storedObject(entryLocation, stats)
    }
  }
}
