import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { Effect, Layer, Redacted, Schema } from "effect"
import { copyTree, moveAside } from "../../layers/inprocess/copyTree.ts"
import { tryLock } from "../../layers/inprocess/FileLock.ts"
import { syncFolder } from "../../layers/inprocess/syncFolder.ts"
import { makeUnfinished, realPathOf } from "../../layers/inprocess/unfinishedFolder.ts"
import { backUpEmbedded } from "../../layers/postgres/backup/embeddedBackup.ts"
import { restoreEmbedded } from "../../layers/postgres/backup/embeddedRestore.ts"
import { dumpDatabase, restoreDump } from "../../layers/postgres/backup/externalBackup.ts"
import { fileFailure } from "../../layers/postgres/backup/fileFailure.ts"
import { isSpoolName, LOCK_FILE } from "../../layers/spool/segmentNames.ts"
import type { StartError } from "../domain/StartError.ts"
import { shellQuoted } from "../lib/runCommand.ts"
import { VERSION } from "../lib/version.ts"
import { BackupError, Backups, type RestoredLake } from "../ports/Backups.ts"
import type { LakeRecovery } from "../ports/LakeAdmin.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { DATA_DIR, DATABASE_URL, SETTINGS, STORAGE_BACKEND } from "../settings/settings.ts"
import { spoolRoot } from "../settings/spoolRoot.ts"

/** `LakeAdmin.recover` for every table of the instance that was just restored. */
type Recover = Effect.Effect<ReadonlyArray<LakeRecovery>, { readonly message: string }>

/** The layout of a backup's folder. */
const FORMAT = 1 as const

/** What every version's `backup.json` has. */
const ManifestFormat = Schema.fromJsonString(Schema.Struct({ format: Schema.Number, version: Schema.String }))

/** `backup.json`: what is in a backup, and that it is complete. */
const Manifest = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(FORMAT),
    version: Schema.String,
    created_at: Schema.String,
    database: Schema.Literals(["embedded", "external"]),
    spools: Schema.Number,
    settings: Schema.Number
  })
)

const filesOf = (folder: string) => ({
  manifest: join(folder, "backup.json"),
  cluster: join(folder, "postgres"),
  password: join(folder, "password"),
  dump: join(folder, "database.dump"),
  spools: join(folder, "spool"),
  settings: join(folder, "settings.env")
})

/** Locks belong to a running process. */
const acceptsSpoolFile = (path: string): boolean => basename(path) !== LOCK_FILE

/** Whether a running collector has one of the spools in a folder. */
const isInUse = (spools: string): boolean =>
  existsSync(spools) &&
  readdirSync(spools).some((name) => {
    const file = join(spools, name, LOCK_FILE)
    if (!existsSync(file)) return false
    const lock = tryLock(file, "exclusive")
    lock?.release()
    return lock === undefined
  })

/** A backup inside of what it copies would contain itself. */
const checkOutside = (folder: string, sources: ReadonlyArray<string>): Effect.Effect<void, BackupError> => {
  const target = realPathOf(folder)
  const source = sources.find((path) => `${target}/`.startsWith(`${realPathOf(path)}/`))
  return source === undefined
    ? Effect.void
    : Effect.fail(
        new BackupError({
          message: `${folder} is inside of ${source}, which the backup copies. Name a folder elsewhere.`
        })
      )
}

const asBackupError = ({ message }: StartError): BackupError => new BackupError({ message })

/** Where this environment says that things are. */
const places = Effect.gen(function* () {
  const url = yield* fromEnvironment(DATABASE_URL)
  const dataDir = resolve(yield* fromEnvironment(DATA_DIR))
  return { url: url === null ? null : Redacted.make(url), dataDir, spools: resolve(yield* spoolRoot) }
}).pipe(Effect.mapError(asBackupError))

/** Counts the bytes that were copied, and reports them. */
const makeCounter = (onProgress: (step: string) => void) => {
  let bytes = 0
  return {
    total: () => bytes,
    during: (what: string) => (more: number) => {
      bytes += more
      onProgress(`${what}: ${(bytes / 1e6).toFixed(1)} MB`)
    }
  }
}

const attempt = <A>(path: string, run: () => A | Promise<A>): Effect.Effect<A, BackupError> =>
  Effect.tryPromise({ try: async () => run(), catch: (cause) => fileFailure(path, cause) })

/** The settings of this process's environment in the form of a `.env` file. */
const settingsFile = () => {
  const lines = SETTINGS.flatMap(({ env }) => {
    const value = process.env[env]
    return value === undefined || value === "" ? [] : [`${env}=${shellQuoted(value)}`]
  })
  return { count: lines.length, content: `${lines.join("\n")}\n` }
}

const spoolsIn = (folder: string): number => (existsSync(folder) ? readdirSync(folder).filter(isSpoolName).length : 0)

const isEmpty = (folder: string): boolean => !existsSync(folder) || readdirSync(folder).length === 0

const create: Backups["Service"]["create"] = Effect.fnUntraced(function* (given, onProgress) {
  const { dataDir, spools, url } = yield* places
  if (given.trim() === "") return yield* new BackupError({ message: "The folder's name is empty. Name a new folder." })
  const folder = resolve(given)
  const exists = new BackupError({ message: `${folder} exists already. Name a new folder for each backup.` })
  if (existsSync(folder)) return yield* exists
  yield* checkOutside(folder, [join(dataDir, "postgres"), spools])
  const copied = makeCounter(onProgress)
  return yield* Effect.gen(function* () {
    const unfinished = yield* makeUnfinished(folder, (run) => attempt(folder, run))
    const files = filesOf(unfinished.path)
    // The spool first: what is flushed meanwhile is then both in it and in the database, where it counts once.
    if (existsSync(spools)) {
      yield* attempt(spools, () =>
        copyTree(spools, files.spools, { accepts: acceptsSpoolFile, onFile: copied.during("Copying the spool") })
      )
    }
    onProgress(url === null ? "Copying the database" : "Dumping the database")
    const copying = copied.during("Copying the database")
    if (url === null) yield* backUpEmbedded(dataDir, files.cluster, copying)
    else copying(yield* dumpDatabase(url, files.dump, process.env["PATH"] ?? ""))
    const settings = settingsFile()
    const manifest = {
      format: FORMAT,
      version: VERSION,
      created_at: new Date().toISOString(),
      database: url === null ? ("embedded" as const) : ("external" as const),
      spools: spoolsIn(files.spools),
      settings: settings.count
    }
    yield* attempt(folder, () => {
      writeFileSync(files.settings, settings.content, { mode: 0o600, flush: true })
      writeFileSync(files.manifest, Schema.encodeSync(Manifest)(manifest), { mode: 0o600, flush: true })
      unfinished.seal()
      return syncFolder(unfinished.path)
    })
    // Another backup may have been given the same name meanwhile. A folder that is not empty is never replaced.
    if (existsSync(folder)) return yield* exists
    yield* attempt(folder, () => {
      renameSync(unfinished.path, folder)
      return syncFolder(dirname(folder))
    })
    return {
      folder,
      database: manifest.database,
      bytes: copied.total(),
      spools: manifest.spools,
      settings: manifest.settings
    }
  }).pipe(Effect.scoped)
})

/** The manifest of a backup that has everything it names. */
const readManifest = Effect.fnUntraced(function* (folder: string) {
  const refuse = (why: string) => new BackupError({ message: `${folder} is not a complete backup: ${why}.` })
  const files = filesOf(folder)
  const { format, version } = yield* Effect.try({
    try: () => Schema.decodeSync(ManifestFormat)(readFileSync(files.manifest, "utf8")),
    catch: () => refuse("it has no readable backup.json")
  })
  if (format !== FORMAT) {
    return yield* new BackupError({
      message: `${folder} was written by Footfall ${version} in format ${format}; this is ${VERSION}, which reads format ${FORMAT}. Restore it with that version.`
    })
  }
  const manifest = yield* Effect.try({
    try: () => Schema.decodeSync(Manifest)(readFileSync(files.manifest, "utf8")),
    catch: () => refuse("its backup.json is damaged")
  })
  const parts = manifest.database === "embedded" ? [join(files.cluster, "PG_VERSION"), files.password] : [files.dump]
  const missing = parts.find((path) => !existsSync(path))
  if (missing !== undefined) return yield* refuse(`${missing} is missing`)
  const spools = spoolsIn(files.spools)
  if (spools !== manifest.spools) return yield* refuse(`it has ${spools} of ${manifest.spools} spools`)
  return manifest
})

/** Points the lake's restored catalog at what was written after the backup. Otherwise the next commit would drop it. */
const recoverLake = (recover: Recover): Effect.Effect<RestoredLake> =>
  Effect.match(recover, {
    onSuccess: (tables) => ({
      recovered: tables.flatMap(({ from, refused, table, to }) => (from !== to && refused === null ? [table] : [])),
      problem:
        tables.flatMap(({ refused, table }) => (refused === null ? [] : [`${table}: ${refused}`])).join(" ") || null
    }),
    onFailure: ({ message }) => ({ recovered: [], problem: message })
  })

const restoreWith = (recover: Recover): Backups["Service"]["restore"] =>
  Effect.fnUntraced(function* (given, { onProgress, replace }) {
    const { dataDir, spools, url } = yield* places
    const folder = resolve(given)
    const files = filesOf(folder)
    const manifest = yield* readManifest(folder)
    if (manifest.database === "embedded" && url !== null) {
      return yield* new BackupError({
        message:
          "The backup is of an embedded Postgres, which DATABASE_URL takes the place of. Unset DATABASE_URL, and set DATA_DIR to where the data should be."
      })
    }
    if (manifest.database === "external" && url === null) {
      return yield* new BackupError({
        message: "The backup is of an external Postgres. Set DATABASE_URL to an empty database to restore it into."
      })
    }
    if (manifest.spools > 0 && !isEmpty(spools) && !replace) {
      return yield* new BackupError({
        message: `${spools} already has spools. Set SPOOL_DIR to a new folder, or pass --replace, which moves the existing ones aside.`
      })
    }
    if (yield* attempt(spools, () => isInUse(spools))) {
      return yield* new BackupError({
        message: `A collector is running with the spools in ${spools}. Stop every process of this instance, then restore.`
      })
    }
    const copied = makeCounter(onProgress)
    onProgress("Restoring the database")
    const movedDatabase =
      url === null
        ? yield* restoreEmbedded(folder, dataDir, replace, copied.during("Restoring the database"))
        : yield* Effect.as(restoreDump(url, files.dump, process.env["PATH"] ?? ""), null)
    const movedSpools =
      manifest.spools === 0
        ? null
        : yield* attempt(spools, async () => {
            const unfinished = `${spools}.unfinished`
            rmSync(unfinished, { recursive: true, force: true })
            mkdirSync(dirname(spools), { recursive: true })
            await copyTree(files.spools, unfinished, {
              accepts: acceptsSpoolFile,
              onFile: copied.during("Restoring the spool")
            })
            const aside = isEmpty(spools) ? null : moveAside(spools)
            rmSync(spools, { recursive: true, force: true })
            renameSync(unfinished, spools)
            await syncFolder(dirname(spools))
            return aside
          })
    const isLake =
      manifest.spools > 0 || (yield* Effect.mapError(fromEnvironment(STORAGE_BACKEND), asBackupError)) === "iceberg"
    if (isLake) onProgress("Checking the lake's catalog")
    const lake = isLake ? yield* recoverLake(recover) : null
    return {
      database: manifest.database,
      lake,
      createdAt: manifest.created_at,
      movedAside: [movedDatabase, movedSpools].filter((path) => path !== null),
      settingsFile: files.settings
    }
  })

/** Backups of what this environment's settings name. `recover` repairs the catalog of a restored lake. */
export const backups = (recover: Recover): Layer.Layer<Backups> =>
  Layer.succeed(Backups, { create, restore: restoreWith(recover) })
