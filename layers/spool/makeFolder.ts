import { mkdir, open } from "node:fs/promises"
import { dirname } from "node:path"

/** Syncs a folder's entries. A folder that this process may only traverse cannot be synced. */
const syncEntries = async (folder: string): Promise<void> => {
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
 * Creates a folder and its missing parents, accessible only to the owner, and syncs their names to the disk: otherwise a power failure
 * could remove the folder with a spool in it.
 */
export const makeFolder = async (folder: string): Promise<void> => {
  const first = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? folder
  for (let created = folder; ; created = dirname(created)) {
    await syncEntries(dirname(created))
    if (created.length <= first.length) break
  }
}
