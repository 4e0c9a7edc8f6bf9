import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { SqlError } from "effect/sql"
import { BackupError } from "../../../src/ports/Backups.ts"
import { copyToDisk, copyTree } from "../../inprocess/copyTree.ts"
import { syncFolder } from "../../inprocess/syncFolder.ts"
import { openPool } from "../client/openPool.ts"
import { filesIn } from "../embedded/cluster.ts"
import { startExistingPostgres } from "../embedded/EmbeddedPostgres.ts"
import { fileFailure } from "./fileFailure.ts"

/** Folders whose content a server creates again ("Making a Base Backup Using the Low Level API" in Postgres's documentation). */
const EMPTIED = new Set([
  "pg_wal",
  "pg_replslot",
  "pg_dynshmem",
  "pg_notify",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans"
])
const SKIPPED = new Set(["postmaster.pid", "postmaster.opts", "backup_label", "tablespace_map"])
/** Copied last: it must not be older than any other file. */
const CONTROL = join("global", "pg_control")

const accepts = (path: string, isFolder: boolean): boolean => {
  const name = path.slice(path.lastIndexOf("/") + 1)
  if (isFolder) return !EMPTIED.has(path) && !name.startsWith("pgsql_tmp")
  return !SKIPPED.has(path) && path !== CONTROL && !name.startsWith("pg_internal.init") && !name.startsWith("pgsql_tmp")
}

const sqlFailure = (error: SqlError.SqlError): BackupError =>
  new BackupError({ message: `The embedded Postgres could not be backed up: ${String(error.cause)}` })

/** Write-ahead log segments have names that sort in order, such as `00000001000000000000000A`. */
const SEGMENT = /^[0-9A-F]{24}$/

/** Copies the segments that a start from the copy needs. The slot keeps the server from removing them. */
const copyWal = async (cluster: string, to: string, first: string, last: string): Promise<number> => {
  const names = (await readdir(join(cluster, "pg_wal"))).filter((name) => SEGMENT.test(name))
  const needed = names.filter((name) => name >= first && name <= last)
  if (!needed.includes(first) || !needed.includes(last)) {
    throw new Error(`the write-ahead log from ${first} to ${last} is incomplete`)
  }
  let bytes = 0
  for (const name of needed) {
    const size = await copyToDisk(join(cluster, "pg_wal", name), join(to, "pg_wal", name))
    if (size === null) throw new Error(`the write-ahead log segment ${name} was removed`)
    bytes += size
  }
  await syncFolder(join(to, "pg_wal"))
  return bytes
}

/**
 * Copies the data folder of the embedded Postgres while it runs, between `pg_backup_start` and `pg_backup_stop`, with the write-ahead log
 * that a start from the copy needs. Starts the server if it is not running. Returns the number of bytes.
 */
export const backUpEmbedded = Effect.fnUntraced(function* (
  dataDir: string,
  to: string,
  onProgress: (bytes: number) => void
): Effect.fn.Return<number, BackupError, Scope.Scope> {
  const refused = ({ message }: { readonly message: string }) => new BackupError({ message })
  const { url } = yield* Effect.mapError(startExistingPostgres(dataDir), refused)
  const pool = yield* Effect.mapError(openPool({ url, embedded: true }, {}, { maxConnections: 1 }), refused)
  // A backup belongs to its session, which a pool might close.
  const session = yield* Effect.mapError(pool.reserve, sqlFailure)
  const run = <Row extends object>(sql: string) =>
    Effect.map(
      Effect.mapError(session.executeUnprepared(sql, [], undefined), sqlFailure),
      (rows) => (rows as ReadonlyArray<Row>)[0]!
    )
  const { cluster } = filesIn(dataDir)
  const slot = `footfall_backup_${process.pid}`
  // Temporary: it is gone with the session.
  yield* run(`SELECT slot_name FROM pg_create_physical_replication_slot('${slot}', true, true)`)
  const { first } = yield* run<{ first: string }>("SELECT pg_walfile_name(pg_backup_start('footfall', true)) AS first")
  const data = yield* Effect.tryPromise({
    try: async () => {
      const bytes = await copyTree(cluster, to, { accepts, onFile: onProgress })
      return bytes + ((await copyToDisk(join(cluster, CONTROL), join(to, CONTROL))) ?? 0)
    },
    catch: (cause) => fileFailure(to, cause)
  })
  const { label, last, tablespaces } = yield* run<{ label: string; last: string; tablespaces: string }>(
    "SELECT labelfile AS label, spcmapfile AS tablespaces, pg_walfile_name(lsn) AS last FROM pg_backup_stop(false)"
  )
  if (tablespaces.trim() !== "") {
    return yield* new BackupError({
      message:
        "The embedded Postgres has tablespaces outside of DATA_DIR, which a backup cannot contain. Move their tables first."
    })
  }
  const wal = yield* Effect.tryPromise({
    try: async () => {
      await writeFile(join(to, "backup_label"), label, { mode: 0o600, flush: true })
      return copyWal(cluster, to, first, last)
    },
    catch: (cause) => fileFailure(to, cause)
  })
  yield* Effect.tryPromise({
    try: () => copyToDisk(filesIn(dataDir).password, join(to, "..", "password")),
    catch: (cause) => fileFailure(to, cause)
  })
  return data + wal
})
