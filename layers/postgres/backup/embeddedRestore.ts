import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { BackupError } from "../../../src/ports/Backups.ts"
import { copyToDisk, copyTree, moveAside } from "../../inprocess/copyTree.ts"
import { tryLock } from "../../inprocess/FileLock.ts"
import { syncFolder } from "../../inprocess/syncFolder.ts"
import { serverAccount } from "../embedded/account.ts"
import { filesIn } from "../embedded/cluster.ts"
import { attempt } from "../embedded/fileError.ts"
import { stopServer } from "../embedded/server.ts"
import { holdStartLock } from "../embedded/startLock.ts"
import { fileFailure } from "./fileFailure.ts"

const LOCK_MS = 2_000

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
    const unfinished = `${cluster}.unfinished`
    return yield* Effect.tryPromise({
      try: async () => {
        rmSync(unfinished, { recursive: true, force: true })
        // A cluster belongs to the account that the server runs as; an existing one shows which.
        const owner = existsSync(cluster) ? statSync(cluster) : serverAccount()
        await copyTree(join(backup, "postgres"), unfinished, {
          accepts: () => true,
          owner: process.getuid?.() === 0 ? owner : undefined,
          onFile: onProgress
        })
        const aside = moveAside(cluster)
        moveAside(password)
        await copyToDisk(join(backup, "password"), password)
        renameSync(unfinished, cluster)
        await syncFolder(dataDir)
        return aside
      },
      catch: (cause) => fileFailure(dataDir, cause)
    })
  }).pipe(Effect.scoped)
})
