import { open } from "node:fs/promises"

/** Waits until the names in a folder are on the disk. */
export const syncFolder = async (folder: string): Promise<void> => {
  await using handle = await open(folder, "r")
  await handle.sync()
}
