import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

/** Folders that a package manager puts on the PATH of the programs it starts: a shell does not have them. */
const FOR_THIS_RUN = /[\\/](?:_npx|node_modules[\\/]\.bin|bun-node-[^\\/]*)(?:[\\/]|$)/

/** How to type `bun run` in a shell: with npx, if Bun itself is only there because npx fetched it. `path` is the PATH variable. */
export const bunRun = (path: string, isProgram: (file: string) => boolean = existsSync): string =>
  path.split(delimiter).some((folder) => folder !== "" && !FOR_THIS_RUN.test(folder) && isProgram(join(folder, "bun")))
    ? "bun run"
    : `npx -y bun@${Bun.version} run`

/** A string as one word of a shell or a `.env` file, whatever is in it. */
export const shellQuoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`
