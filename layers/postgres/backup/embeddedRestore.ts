import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { BackupError } from "../../../src/ports/Backups.ts"
import { copyToDisk, copyTree, moveAside } from "../../inprocess/copyTree.ts"
import { tryLock } from "../../inprocess/FileLock.ts"
import { syncFolder } from "../../inprocess/syncFolder.ts"
import { serverAccount } from "../embedded/account.ts"
import { findBinaries } from "../embedded/binaries.ts"
import { filesIn } from "../embedded/cluster.ts"
import { attempt } from "../embedded/fileError.ts"
import { stopServer } from "../embedded/server.ts"
import { holdStartLock } from "../embedded/startLock.ts"
import { fileFailure } from "./fileFailure.ts"

const LOCK_MS = 2_000

/** A server reads only data of its own major version, so another one's must not replace what works. */
const checkVersion = Effect.fnUntraced(function* (backup: string) {
  const { major } = yield* Effect.mapError(findBinaries(serverAccount()), ({ message }) => new BackupError({ message }))
  const file = join(backup, "postgres", "PG_VERSION")
  const version = yield* Effect.try({
    try: () => readFileSync(file, "utf8").trim(),
    catch: (cause) => fileFailure(file, cause)
  })
  if (version === major) return
  return yield* new BackupError({
    message: `The backup is of a Postgres ${version}; this build bundles Postgres ${major}. Restore it with the Footfall that made it, then move the data with pg_dump and pg_restore.`
  })
})

/**
 * Puts a copy of a data folder in the place of the embedded Postgres's, which must not run. Returns where the existing one was moved;
 * null if there was none. `backup` has the folder `postgres` and the file `password`.
 */
export const restoreEmbedded = Effect.fnUntraced(function* (
  backup: string,
  dataDir: string,
  replace: boolean,
  onProgress: (bytes: number) => void
): Effect.fn.Return<string | null, BackupError> {
  const refused = ({ message }: { readonly message: string }) => new BackupError({ message })
  return yield* Effect.gen(function* () {
    yield* Effect.mapError(
      attempt(dataDir, () => mkdirSync(dataDir, { recursive: true })),
      refused
    )
    const { clientsLock, cluster, password, startLock } = filesIn(dataDir)
    yield* Effect.mapError(holdStartLock(startLock, LOCK_MS), refused)
    const alone = yield* Effect.mapError(
      attempt(clientsLock, () => tryLock(clientsLock, "exclusive")),
      refused
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => alone?.release()))
    // A process that was killed leaves its server running, which then has no user.
    if (alone === undefined || !(yield* stopServer(cluster))) {
      return yield* new BackupError({
        message: `The embedded Postgres in ${dataDir} is running. Stop every process that uses it, then restore.`
      })
    }
    if (existsSync(cluster) && !replace) {
      return yield* new BackupError({
        message: `${dataDir} already has a database. Set DATA_DIR to a new folder, or pass --replace, which moves the existing one aside.`
      })
    }
    yield* checkVersion(backup)
    const unfinished = `${cluster}.unfinished`
    const newPassword = `${password}.unfinished`
    const removeUnfinished = () => {
      rmSync(unfinished, { recursive: true, force: true })
      rmSync(newPassword, { force: true })
    }
    return yield* Effect.tryPromise({
      try: async () => {
        removeUnfinished()
        // A cluster belongs to the account that the server runs as; an existing one shows which.
        const owner = existsSync(cluster) ? statSync(cluster) : serverAccount()
        await copyTree(join(backup, "postgres"), unfinished, {
          accepts: () => true,
          owner: process.getuid?.() === 0 ? owner : undefined,
          onFile: onProgress
        })
        await copyToDisk(join(backup, "password"), newPassword)
        const aside = moveAside(cluster)
        moveAside(password)
        renameSync(newPassword, password)
        renameSync(unfinished, cluster)
        await syncFolder(dataDir)
        return aside
      },
      catch: (cause) => fileFailure(dataDir, cause)
    }).pipe(Effect.onError(() => Effect.ignore(Effect.try(removeUnfinished))))
  }).pipe(Effect.scoped)
})
