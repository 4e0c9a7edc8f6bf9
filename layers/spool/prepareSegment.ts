import type { SpoolFile, SpoolFiles } from "./SpoolFiles.ts"
import { PREPARED } from "./segmentNames.ts"

/** Zeros are written and synced in steps with pauses in between, so that the disk keeps accepting records. */
const STEP = 1 << 20
const ZEROS = new Uint8Array(STEP)

export const writeAll = async (file: SpoolFile, bytes: Uint8Array, offset: number): Promise<void> => {
  let written = 0
  while (written < bytes.length) {
    const count = await file.write(written === 0 ? bytes : bytes.subarray(written), offset + written)
    if (count <= 0) throw Object.assign(new Error("nothing was written"), { code: "EIO" })
    written += count
  }
}

/**
 * Creates a file of zeros on the disk under a temporary name, so that syncing records written into it later neither allocates blocks
 * nor updates the size. `pause` gets the part that is done, up to 1. A file that cannot be filled is removed, to free its space.
 */
export const prepareSegment = async (
  files: SpoolFiles,
  size: number,
  pause: (done: number) => Promise<void>
): Promise<SpoolFile> => {
  // A file that failed before is not used again.
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
