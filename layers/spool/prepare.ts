import type { SpoolFile, SpoolFiles } from "./SpoolFiles.ts"
import { PREPARED } from "./segments.ts"

/** Zeros are written and synced in steps with pauses between, so that the disk takes records all the while. */
const STEP = 1 << 20
const ZEROS = new Uint8Array(STEP)

export const writeAll = async (file: SpoolFile, bytes: Uint8Array, offset: number): Promise<void> => {
  let written = 0
  while (written < bytes.length) {
    const some = await file.write(written === 0 ? bytes : bytes.subarray(written), offset + written)
    if (some <= 0) throw Object.assign(new Error("nothing was written"), { code: "EIO" })
    written += some
  }
}

/**
 * A new file of zeros that are on the disk, so that syncing what is written into it later has no blocks to find and no size to note.
 * `pause` is given the part of it that is done, up to 1. It waits under a name of its own. One that can't be filled is removed, so
 * that it takes no room from others.
 */
export const prepareSegment = async (
  files: SpoolFiles,
  size: number,
  pause: (done: number) => Promise<void>
): Promise<SpoolFile> => {
  // Not the one that may be there: what failed is not used again.
  await files.remove(PREPARED)
  const file = await files.create(PREPARED)
  try {
    for (let offset = 0; offset < size; offset += STEP) {
      await writeAll(file, offset + STEP > size ? ZEROS.subarray(0, size - offset) : ZEROS, offset)
      await file.sync()
      if (offset + STEP < size) await pause((offset + STEP) / size)
    }
    return file
  } catch (error) {
    await file.close().catch(() => {})
    await files.remove(PREPARED).catch(() => {})
    throw error
  }
}
