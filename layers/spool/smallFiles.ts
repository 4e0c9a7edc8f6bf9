import { errorCode } from "../../src/lib/errorCode.ts"
import { writeAll } from "./prepareSegment.ts"
import type { SpoolFiles } from "./SpoolFiles.ts"

/** Replaces a small file, all or nothing. Resolves when that is on the disk. */
export const replaceFile = async (files: SpoolFiles, name: string, content: string): Promise<void> => {
  const temporary = `${name}.tmp`
  const file = await files.create(temporary)
  try {
    await writeAll(file, Buffer.from(content), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(temporary, name)
  await files.syncFolder()
}

/** The content of a small file; null if it does not exist. */
export const readSmallFile = (files: SpoolFiles, name: string): Promise<string | null> =>
  files.read(name).then(
    (bytes) => Buffer.from(bytes).toString(),
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return null
      throw error
    }
  )
