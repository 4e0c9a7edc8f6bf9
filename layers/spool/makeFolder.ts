import { mkdir, open } from "node:fs/promises"
import { dirname } from "node:path"

/** Syncs a folder's names, where this process may read them: one that it may only pass through can't be synced. */
const syncNames = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "EACCES") return null
    throw error
  })
  try {
    await handle?.sync()
  } finally {
    await handle?.close()
  }
}

/**
 * Makes a folder, and those that it is in, where missing; only its owner may look into it. Its name is on the disk afterwards: a log
 * in a folder that a power failure takes away is no log.
 */
export const makeFolder = async (folder: string): Promise<void> => {
  const first = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? folder
  for (let made = folder; ; made = dirname(made)) {
    await syncNames(dirname(made))
    if (made.length <= first.length) break
  }
}
