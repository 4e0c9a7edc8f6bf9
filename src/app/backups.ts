import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { Effect, Layer, Redacted, Schema } from "effect"
import { copyTree, moveAside } from "../../layers/inprocess/copyTree.ts"
import { tryLock } from "../../layers/inprocess/FileLock.ts"
import { syncFolder } from "../../layers/inprocess/syncFolder.ts"
import { backUpEmbedded } from "../../layers/postgres/backup/embeddedBackup.ts"
import { restoreEmbedded } from "../../layers/postgres/backup/embeddedRestore.ts"
import { dumpDatabase, restoreDump } from "../../layers/postgres/backup/externalBackup.ts"
import { fileFailure } from "../../layers/postgres/backup/fileFailure.ts"
import { isSpoolName, LOCK_FILE } from "../../layers/spool/segmentNames.ts"
import { shellQuoted } from "../lib/runCommand.ts"
import { VERSION } from "../lib/version.ts"
import { BackupError, Backups, type RestoredLake } from "../ports/Backups.ts"
import type { LakeRecovery } from "../ports/LakeAdmin.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { DATA_DIR, DATABASE_URL, SETTINGS, type Setting, SPOOL_DIR, STORAGE_BACKEND } from "../settings/settings.ts"

/** `LakeAdmin.recover` for every table of the instance that was just restored. */
type Recover = Effect.Effect<ReadonlyArray<LakeRecovery>, { readonly message: string }>

/** `backup.json`: what is in a backup, and that it is complete. */
const Manifest = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(1),
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
  const source = sources.find((path) => folder === path || folder.startsWith(`${path}/`))
  return source === undefined
    ? Effect.void
    : Effect.fail(
        new BackupError({
          message: `${folder} is inside of ${source}, which the backup copies. Name a folder elsewhere.`
        })
      )
}

const fromSettings = <A>(setting: Setting<A>): Effect.Effect<A, BackupError> =>
  Effect.mapError(fromEnvironment(setting), ({ message }) => new BackupError({ message }))

/** Where this environment says that things are. */
const places = Effect.gen(function* () {
  const url = yield* fromSettings(DATABASE_URL)
  const dataDir = resolve(yield* fromSettings(DATA_DIR))
  const spools = (yield* fromSettings(SPOOL_DIR)) ?? join(dataDir, "spool")
  return { url: url === null ? null : Redacted.make(url), dataDir, spools: resolve(spools) }
})

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
  const folder = resolve(given)
  if (existsSync(folder)) {
    return yield* new BackupError({ message: `${folder} exists already. Name a new folder for each backup.` })
  }
  yield* checkOutside(folder, [join(dataDir, "postgres"), spools])
  const unfinished = `${folder}.unfinished`
  const files = filesOf(unfinished)
  const copied = makeCounter(onProgress)
  return yield* Effect.gen(function* () {
    yield* attempt(folder, () => {
      rmSync(unfinished, { recursive: true, force: true })
      mkdirSync(dirname(folder), { recursive: true })
      mkdirSync(unfinished, { mode: 0o700 })
    })
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
      format: 1 as const,
      version: VERSION,
      created_at: new Date().toISOString(),
      database: url === null ? ("embedded" as const) : ("external" as const),
      spools: spoolsIn(files.spools),
      settings: settings.count
    }
    yield* attempt(folder, async () => {
      writeFileSync(files.settings, settings.content, { mode: 0o600, flush: true })
      writeFileSync(files.manifest, Schema.encodeSync(Manifest)(manifest), { mode: 0o600, flush: true })
      await syncFolder(unfinished)
      renameSync(unfinished, folder)
      await syncFolder(dirname(folder))
    })
    return {
      folder,
      database: manifest.database,
      bytes: copied.total(),
      spools: manifest.spools,
      settings: manifest.settings
    }
  }).pipe(
    Effect.scoped,
    Effect.onError(() => Effect.sync(() => rmSync(unfinished, { recursive: true, force: true })))
  )
})

const readManifest = (folder: string) =>
  Effect.try({
    try: () => Schema.decodeSync(Manifest)(readFileSync(filesOf(folder).manifest, "utf8")),
    catch: () => new BackupError({ message: `${folder} is not a complete backup: it has no readable backup.json.` })
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
    const isLake = manifest.spools > 0 || (yield* fromSettings(STORAGE_BACKEND)) === "iceberg"
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
