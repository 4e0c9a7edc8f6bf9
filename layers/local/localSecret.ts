import { constants, existsSync } from "node:fs"
import { link, mkdir, open, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"

const FILE = "local-secret"
/** Bytes that cannot be guessed. */
const RANDOM_BYTES = 32
/** Only the user who runs the server may read and write the file. */
const MODE = 0o600

const fileIn = (folder: string) => join(folder, FILE)

const isSecret = (text: string) => /^[\w-]{43}$/.test(text)

/** The secret in a folder; null if there is none or it cannot be read. */
export const readLocalSecret = async (folder: string): Promise<string | null> => {
  try {
    const text = (await readFile(fileIn(folder), "utf8")).trim()
    return isSecret(text) ? text : null
  } catch {
    return null
  }
}

/** Whether only its owner may read the file. */
const isPrivate = async (file: string): Promise<boolean> => ((await stat(file)).mode & 0o077) === 0

const writeNew = async (file: string, content: string): Promise<void> => {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, MODE)
  try {
    await handle.writeFile(content)
  } finally {
    await handle.close()
  }
}

/**
 * The secret of a folder, created if it is missing. One that is damaged, or that others could read, is replaced. Processes that start at the same time
 * agree on one, since only one of them can create the file.
 */
export const ensureLocalSecret = async (folder: string): Promise<string> => {
  await mkdir(folder, { recursive: true })
  const file = fileIn(folder)
  if (existsSync(file)) {
    const existing = await readLocalSecret(folder)
    if (existing !== null && (await isPrivate(file))) return existing
    await rm(file, { force: true })
  }
  const temporary = `${file}.${crypto.randomUUID()}`
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(RANDOM_BYTES))).toString("base64url")
  try {
    await writeNew(temporary, `${secret}\n`)
    await link(temporary, file)
    return secret
  } catch (error) {
    const created = await readLocalSecret(folder)
    if (created !== null) return created
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}
