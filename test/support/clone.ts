import { chmodSync, cpSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "./postgres/postgres.ts"
import { run } from "./process/Program.ts"

const ROOT = join(import.meta.dir, "../..")
/** The parts of a clone that running and building need. */
const CONTENT = ["src", "layers", "migrations", "scripts", "package.json", "bun.lock", "bunfig.toml", "tsconfig.json"]

/** A folder as after `git clone`: the current sources, with nothing installed. Other users may read it. */
export const cloneProject = (): string => {
  const folder = temporaryFolder()
  chmodSync(folder, 0o755)
  for (const name of CONTENT) cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  return folder
}

/** A clone with its dependencies, as the package scripts install them. */
export const installedClone = async (): Promise<string> => {
  const folder = cloneProject()
  const { code, output } = await run([process.execPath, "install", "--frozen-lockfile", "--silent"], { cwd: folder })
  if (code !== 0) throw new Error(`bun install ended with ${code}: ${output}`)
  return folder
}
