import { randomBytes } from "node:crypto"
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { type Account, canEnter, serverAccount } from "./account.ts"
import { findBinaries } from "./binaries.ts"
import { attempt } from "./fileError.ts"
import type { Place } from "./Place.ts"
import { clusterName } from "./postmaster.ts"
import { runProgram } from "./runProgram.ts"

/** The role and database of the embedded server. */
export const NAME = "footfall"
/** Maximum length of a socket's folder: `sun_path` has 104 bytes on macOS, of which `/.s.PGSQL.5432` takes 14. */
const SOCKET_FOLDER_LENGTH = 88

/** The files in the data folder. */
export const filesIn = (dataFolder: string) => ({
  cluster: join(dataFolder, "postgres"),
  password: join(dataFolder, "password"),
  log: join(dataFolder, "postgres.log"),
  startLock: join(dataFolder, "start.lock"),
  clientsLock: join(dataFolder, "clients.lock")
})

/** Whether a data folder has a database. */
export const hasCluster = (dataFolder: string): boolean => existsSync(filesIn(dataFolder).cluster)

/** Creates a folder that only the server's account can enter. */
const makePrivate = (folder: string, account: Account | undefined): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  if (account !== undefined) chownSync(folder, account.uid, account.gid)
}

/** The role's password: random, created once, readable only by the user of this process. */
const ensurePassword = (path: string): string => {
  if (existsSync(path)) return readFileSync(path, "utf8").trim()
  const password = randomBytes(24).toString("hex")
  writeFileSync(path, password, { mode: 0o600, flush: true })
  return password
}

/** Creates the cluster under another name and renames it, so that its folder is complete or does not exist. */
const createCluster = Effect.fnUntraced(function* (place: Place, passwordFile: string) {
  const { account, cluster } = place
  const unfinished = `${cluster}.unfinished`
  // An account that cannot enter the data folder gets its copy elsewhere.
  const passwordCopy = join(
    account === undefined ? dirname(cluster) : tmpdir(),
    `footfall-${randomBytes(8).toString("hex")}`
  )
  yield* Effect.gen(function* () {
    yield* attempt(unfinished, () => {
      rmSync(unfinished, { recursive: true, force: true })
      makePrivate(unfinished, account)
      writeFileSync(passwordCopy, ensurePassword(passwordFile), { mode: 0o600, flag: "wx" })
      if (account !== undefined) chownSync(passwordCopy, account.uid, account.gid)
    })
    const unfinishedPlace: Place = { ...place, cluster: unfinished }
    // The built-in collation compares bytes, which is fast and the same on every machine.
    const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    const access = [`--username=${NAME}`, "--auth=scram-sha-256", `--pwfile=${passwordCopy}`]
    yield* runProgram(unfinishedPlace, "initdb", (path) => ["-D", path, ...locale, ...access, "--no-instructions"])
    yield* runProgram(
      unfinishedPlace,
      "postgres",
      (path) => ["--single", "-D", path, "postgres"],
      `CREATE DATABASE ${NAME};\n`
    )
    yield* attempt(cluster, () => renameSync(unfinished, cluster))
  }).pipe(
    Effect.ensuring(Effect.sync(() => rmSync(passwordCopy, { force: true }))),
    Effect.tapError(() => Effect.ignore(Effect.try(() => rmSync(unfinished, { recursive: true, force: true }))))
  )
})

/** The socket's folder: in the data folder if the path is short enough and reachable, else in `/tmp`. */
const socketFolderFor = (dataFolder: string, account: Account | undefined): string => {
  const near = join(dataFolder, "run")
  if (near.length <= SOCKET_FOLDER_LENGTH && (account === undefined || canEnter(dataFolder, account))) return near
  return join("/tmp", clusterName(filesIn(dataFolder).cluster))
}

/** Creates the socket's folder. Fails if it belongs to another user, who could connect to our clients with it. */
export const ensureSocketFolder = (folder: string, account: Account | undefined): void => {
  makePrivate(folder, account)
  const stats = lstatSync(folder)
  if (!stats.isDirectory() || stats.uid !== (account?.uid ?? process.getuid?.())) {
    throw new Error("it belongs to another user")
  }
}

/** The account to run the server as. The owner of an existing cluster, since Postgres requires it. */
const accountFor = Effect.fnUntraced(function* (cluster: string) {
  const account = serverAccount()
  if (account === undefined || !existsSync(cluster)) return account
  const owner = yield* attempt(cluster, () => statSync(cluster))
  return owner.uid === 0 ? account : { uid: owner.uid, gid: owner.gid }
})

/** Checks that an existing cluster can be used. */
const checkCluster = Effect.fnUntraced(function* (cluster: string, password: string, major: string) {
  const version = yield* attempt(cluster, () => readFileSync(join(cluster, "PG_VERSION"), "utf8").trim())
  if (version !== major) {
    return yield* new StartError({
      message: `${cluster} was created by Postgres ${version}; this build bundles Postgres ${major}. Move the data with pg_dump and pg_restore, or set DATABASE_URL to a Postgres ${version} that serves it.`
    })
  }
  if (!existsSync(password)) {
    return yield* new StartError({
      message: `${password} is missing. Restore it, or move ${cluster} away to start with an empty one.`
    })
  }
})

/** The place of a data folder's server. Creates the cluster if it does not exist. The caller holds the start lock. */
export const prepareCluster = Effect.fnUntraced(function* (dataFolder: string) {
  const { cluster, log, password } = filesIn(dataFolder)
  const account = yield* accountFor(cluster)
  const binaries = yield* findBinaries(account)
  const place: Place = { cluster, socketFolder: socketFolderFor(dataFolder, account), log, binaries, account }
  yield* existsSync(cluster) ? checkCluster(cluster, password, binaries.major) : createCluster(place, password)
  return place
})
