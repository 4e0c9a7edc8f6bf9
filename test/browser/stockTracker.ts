import { existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"

/**
 * The only release of Umami (MIT) on npm. It is fetched on its own: as a dependency it would install a whole web application. Its tracker
 * reads responses as text and returns that text as the token, as all trackers did until 2.15.
 */
const RELEASE = "umami@2.10.0"
const SHA512 = "+lmrnV0751R6U2rkIgVAlE1nWI7yZawlMlJDguW9tlFacCKhnGeCyc7tCMIhNNYIiGIQy4DEX5IzJhm4b3+dPA=="
const FOLDER = join(import.meta.dir, "../../node_modules/.cache/footfall")
const FETCH_MS = 60_000

const npm = async (args: ReadonlyArray<string>): Promise<string | null> => {
  const program = Bun.which("npm")
  if (program === null) return "there is no npm."
  const child = Bun.spawn([program, ...args], { cwd: FOLDER, stdout: "ignore", stderr: "pipe", timeout: FETCH_MS })
  const [code, err] = await Promise.all([child.exited, child.stderr.text()])
  return code === 0 ? null : `npm ended with ${code}: ${err.trim().split("\n")[0]}`
}

/** The source of the released tracker, or why it is missing. */
export const fetchStockTracker = async (): Promise<{ readonly source: string } | { readonly why: string }> => {
  const archive = join(FOLDER, "umami-2.10.0.tgz")
  if (!existsSync(archive)) {
    mkdirSync(FOLDER, { recursive: true })
    const why = await npm(["pack", RELEASE, "--silent"])
    if (why !== null) return { why }
  }
  const packed = await Bun.file(archive).bytes()
  const digest = new Bun.CryptoHasher("sha512").update(packed).digest("base64")
  if (digest !== SHA512) throw new Error(`${archive} is not the release that was looked at: its SHA-512 is ${digest}`)
  const files = await new Bun.Archive(packed).files()
  const source = await files.get("package/src/tracker/index.js")?.text()
  if (source === undefined) throw new Error(`${archive} has no tracker`)
  return { source }
}
