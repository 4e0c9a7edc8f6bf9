import { stat } from "node:fs/promises"
import { Effect, type Redacted } from "effect"
import { BackupError } from "../../../src/ports/Backups.ts"
import { syncFolder } from "../../inprocess/syncFolder.ts"
import { openPool } from "../client/openPool.ts"
import { findProgram, runProgram } from "./clientPrograms.ts"
import { fileFailure } from "./fileFailure.ts"

/** What a restore must not find: it would mix two instances. */
const OUR_TABLES =
  "SELECT count(*)::int AS n FROM pg_tables WHERE tablename LIKE 'product\\_analytics\\_%' AND schemaname = ANY(current_schemas(false))"

/** The server's major version, and whether the database has our tables. */
const inspect = (url: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    const sql = yield* openPool({ url, embedded: false }, {}, { maxConnections: 1 })
    const [version] = yield* sql.unsafe<{ n: number }>("SELECT current_setting('server_version_num')::int / 10000 AS n")
    const [tables] = yield* sql.unsafe<{ n: number }>(OUR_TABLES)
    return { major: version!.n, isOurs: tables!.n > 0 }
  }).pipe(
    Effect.scoped,
    Effect.mapError((error) => new BackupError({ message: error.message }))
  )

/** Dumps the database that `DATABASE_URL` names with pg_dump. Returns the dump's size in bytes. */
export const dumpDatabase = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string>,
  file: string,
  path: string
): Effect.fn.Return<number, BackupError> {
  const { isOurs, major } = yield* inspect(url)
  if (!isOurs) {
    return yield* new BackupError({
      message:
        "The database of DATABASE_URL has no tables of Footfall, so there is nothing to back up. Check DATABASE_URL."
    })
  }
  const program = yield* findProgram("pg_dump", major, path)
  yield* runProgram(program, url, ["--format=custom", `--file=${file}`])
  return yield* Effect.tryPromise({
    try: async () => {
      await syncFolder(file)
      return (await stat(file)).size
    },
    catch: (cause) => fileFailure(file, cause)
  })
})

/** Restores a dump into the database that `DATABASE_URL` names, all or nothing. The database must not have our tables. */
export const restoreDump = Effect.fnUntraced(function* (
  url: Redacted.Redacted<string>,
  file: string,
  path: string
): Effect.fn.Return<void, BackupError> {
  const { isOurs, major } = yield* inspect(url)
  if (isOurs) {
    return yield* new BackupError({
      message:
        "The database of DATABASE_URL already has tables of Footfall. Restore into an empty database: create one, and name it in DATABASE_URL."
    })
  }
  const program = yield* findProgram("pg_restore", major, path)
  // Roles belong to a server, not to a dump. Each start grants the reader role what it needs.
  yield* runProgram(program, url, ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", file])
})
