import { join } from "node:path"
import { Redacted } from "effect"
import { freshDatabase } from "../support/postgres/postgres.ts"

const CLI = join(import.meta.dir, "../../src/cli.ts")

export interface Finished {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs `footfall` in a process of its own, with only these variables set. */
export const footfall = async (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  input?: string
): Promise<Finished> => {
  const child = Bun.spawn([process.execPath, CLI, ...args], {
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...environment },
    stdin: input === undefined ? "ignore" : new Blob([input]),
    stdout: "pipe",
    stderr: "pipe"
  })
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()])
  return { code, out, err }
}

/** Runs `footfall` on a new database. */
export const onFreshDatabase = async () => {
  const DATABASE_URL = Redacted.value(await freshDatabase())
  return (args: ReadonlyArray<string>, environment: Readonly<Record<string, string>> = {}, input?: string) =>
    footfall(args, { DATABASE_URL, ...environment }, input)
}
