import { randomBytes } from "node:crypto"
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect, Redacted, Scope } from "effect"
import { StartError } from "../../../src/domain/StartError.ts"
import { type FileLock, tryLock } from "../../inprocess/FileLock.ts"
import { type Account, canEnter, serverAccount } from "./account.ts"
import { findBinaries } from "./binaries.ts"
import { fileError } from "./fileError.ts"
import {
  clusterName,
  type Place,
  type Postmaster,
  readPostmaster,
  runProgram,
  SOCKET_PORT,
  START_TIMEOUT_MS,
  STOP_TIMEOUT_MS,
  startServer,
  stopServer,
  waitFor
} from "./server.ts"

/** Role and database of the embedded server. */
const NAME = "footfall"
/** Longest folder for a socket: `sun_path` takes 104 bytes on macOS, of which `/.s.PGSQL.5432` needs 14. */
const SOCKET_FOLDER_LENGTH = 88
/** How often the server is looked after. A dead one costs a few seconds of 503, never an event that was answered 200. */
const WATCH_MS = 1_000

/** A running server of our own. `pid` is its postmaster's now: another one after it was restarted. */
export interface EmbeddedPostgres {
  readonly url: Redacted.Redacted<string>
  readonly pid: () => number | undefined
}

/** What lies in the data folder beside the cluster. */
const inFolder = (dataFolder: string) => ({
  cluster: join(dataFolder, "postgres"),
  password: join(dataFolder, "password"),
  log: join(dataFolder, "postgres.log"),
  startLock: join(dataFolder, "start.lock"),
  clientsLock: join(dataFolder, "clients.lock")
})

const attempt = <A>(path: string, run: () => A): Effect.Effect<A, StartError> =>
  Effect.try({ try: run, catch: (cause) => fileError(cause, path) })

/** One process at a time starts or stops the server of a folder. */
const holdStartLock = Effect.fnUntraced(function* (path: string, withinMs: number) {
  const take = Effect.acquireRelease(
    attempt(path, () => tryLock(path, "exclusive")),
    (lock) => Effect.sync(() => lock?.release())
  )
  const TURN_MS = 20
  for (let waited = 0; waited < withinMs; waited += TURN_MS) {
    if ((yield* take) !== undefined) return
    yield* Effect.sleep(TURN_MS)
  }
  return yield* new StartError({
    message: `Another process has been starting or stopping the Postgres in ${dirname(path)} for ${withinMs / 1000} s. Try again, or set DATABASE_URL.`
  })
})

/** Made for the server's account alone, wherever we run as root. */
const makePrivate = (folder: string, account: Account | undefined): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  if (account !== undefined) chownSync(folder, account.uid, account.gid)
}

/** The password of the server's one role, made once: random, readable by our user alone. */
const ensurePassword = (path: string): string => {
  if (existsSync(path)) return readFileSync(path, "utf8").trim()
  const password = randomBytes(24).toString("hex")
  writeFileSync(path, password, { mode: 0o600, flush: true })
  return password
}

/** A cluster's folder appears complete or not at all: it is made beside its place and moved there. */
const createCluster = Effect.fnUntraced(function* (place: Place, passwordFile: string) {
  const { account, cluster } = place
  const unfinished = `${cluster}.unfinished`
  // Where the account can't enter the data folder, it gets its copy elsewhere.
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
    const at: Place = { ...place, cluster: unfinished }
    // The built-in collation compares bytes, fast and the same on every machine.
    const locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
    const access = [`--username=${NAME}`, "--auth=scram-sha-256", `--pwfile=${passwordCopy}`]
    yield* runProgram(at, "initdb", (path) => ["-D", path, ...locale, ...access, "--no-instructions"])
    yield* runProgram(at, "postgres", (path) => ["--single", "-D", path, "postgres"], `CREATE DATABASE ${NAME};\n`)
    yield* attempt(cluster, () => renameSync(unfinished, cluster))
  }).pipe(
    Effect.ensuring(Effect.sync(() => rmSync(passwordCopy, { force: true }))),
    Effect.tapError(() => Effect.ignore(Effect.try(() => rmSync(unfinished, { recursive: true, force: true }))))
  )
})

/** A short folder for the socket: in the data folder, else in a folder of our own among the temporary ones. */
const socketFolderFor = (dataFolder: string, account: Account | undefined): string => {
  const near = join(dataFolder, "run")
  if (near.length <= SOCKET_FOLDER_LENGTH && (account === undefined || canEnter(dataFolder, account))) return near
  return join("/tmp", clusterName(inFolder(dataFolder).cluster))
}

const ensureSocketFolder = (folder: string, account: Account | undefined): void => {
  makePrivate(folder, account)
  const stats = lstatSync(folder)
  if (!stats.isDirectory() || stats.uid !== (account?.uid ?? process.getuid?.())) {
    throw new Error("it belongs to someone else")
  }
}

/** Where the server of a folder lives, with the folder's cluster made if there is none. */
const settle = Effect.fnUntraced(function* (dataFolder: string) {
  const { cluster, log, password } = inFolder(dataFolder)
  const exists = existsSync(cluster)
  // Whom initdb ran as stays the owner: Postgres insists on it.
  const owner = exists ? yield* attempt(cluster, () => statSync(cluster)) : undefined
  const ours = serverAccount()
  const account =
    ours !== undefined && owner !== undefined && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : ours
  const binaries = yield* findBinaries(account)
  const place: Place = { cluster, socketFolder: socketFolderFor(dataFolder, account), log, binaries, account }
  if (!exists) {
    yield* createCluster(place, password)
    return place
  }
  const version = yield* attempt(cluster, () => readFileSync(join(cluster, "PG_VERSION"), "utf8").trim())
  if (version !== binaries.major) {
    return yield* new StartError({
      message: `The data in ${cluster} is of Postgres ${version}, this is Postgres ${binaries.major}. Move it with pg_dump and pg_restore, or set DATABASE_URL to a Postgres ${version} that serves it.`
    })
  }
  if (!existsSync(password)) {
    return yield* new StartError({
      message: `${password} is missing. Put it back, or move ${cluster} away to start with an empty one.`
    })
  }
  return place
})

/** The server that runs, or the one we start. The caller holds the start lock. */
const joinOrStart = Effect.fnUntraced(function* (place: Place) {
  const found = readPostmaster(place.cluster)
  if (found?.state === "ready") return found
  if (found !== undefined) {
    // Left behind by a process that was killed while it started or stopped the server.
    const settled = yield* waitFor<Postmaster | "gone">(() => {
      const now = readPostmaster(place.cluster)
      return now === undefined ? "gone" : now.state === "ready" ? now : undefined
    }, START_TIMEOUT_MS)
    if (settled === undefined) {
      return yield* new StartError({
        message: `The embedded Postgres (pid ${found.pid}) is still ${found.state}. Try again later.`
      })
    }
    if (settled !== "gone") return settled
  }
  yield* attempt(place.socketFolder, () => ensureSocketFolder(place.socketFolder, place.account))
  return yield* startServer(place)
})

/** Gives up our share; whoever finds no other share left stops the server. */
const leave = Effect.fnUntraced(function* (dataFolder: string, share: FileLock | undefined) {
  const { clientsLock, cluster, startLock } = inFolder(dataFolder)
  yield* Effect.gen(function* () {
    // Without the lock someone is starting right now and stays.
    const held = yield* Effect.option(holdStartLock(startLock, STOP_TIMEOUT_MS))
    share?.release()
    const last = held._tag === "Some" ? tryLock(clientsLock, "exclusive") : undefined
    if (last === undefined) return
    const stopped = yield* stopServer(cluster)
    last.release()
    if (!stopped) yield* Effect.logWarning(`The embedded Postgres in ${cluster} is still stopping.`)
  }).pipe(Effect.scoped)
})

/** Restarts a server that died under us (out of memory, killed): on the same socket, so connections come back by themselves. */
const watch = (place: Place, startLock: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Effect.sleep(WATCH_MS)
    if (readPostmaster(place.cluster) !== undefined) return
    yield* Effect.logWarning("The embedded Postgres is gone; starting it again.")
    yield* Effect.scoped(Effect.andThen(holdStartLock(startLock, START_TIMEOUT_MS), joinOrStart(place)))
  }).pipe(
    Effect.catch((error) => Effect.logError(error.message)),
    Effect.forever
  )

/**
 * A real Postgres with its data in `dataFolder`, started when it does not run yet, joined when it does; any number of
 * processes may share a folder. It listens on a Unix socket in a folder that only its account can enter (a query costs the
 * client a fifth less CPU than over loopback TCP: 34 us against 45), and asks for a random password all the same. The last
 * process to close its scope stops it; a killed process leaves it running for the next one. While the scope is open, a
 * server that died is started again.
 */
export const startEmbeddedPostgres = Effect.fnUntraced(function* (
  dataDir: string
): Effect.fn.Return<EmbeddedPostgres, StartError, Scope.Scope> {
  const dataFolder = yield* attempt(dataDir, () => {
    // Searchable, so that the server's account reaches its cluster in it; nothing in it is readable to others.
    mkdirSync(dataDir, { recursive: true })
    if (statSync(dataDir).uid === process.getuid?.()) chmodSync(dataDir, process.getuid() === 0 ? 0o711 : 0o700)
    return realpathSync(dataDir)
  })
  const { clientsLock, cluster, password, startLock } = inFolder(dataFolder)
  const scope = yield* Effect.scope
  const { place, postmaster } = yield* Effect.gen(function* () {
    yield* holdStartLock(startLock, START_TIMEOUT_MS)
    const place = yield* settle(dataFolder)
    yield* Effect.acquireRelease(
      attempt(clientsLock, () => tryLock(clientsLock, "shared")),
      (share) => leave(dataFolder, share)
    ).pipe(Scope.provide(scope))
    return { place, postmaster: yield* joinOrStart(place) }
  }).pipe(Effect.scoped)
  yield* Effect.forkScoped(watch(place, startLock))
  const secret = yield* attempt(password, () => readFileSync(password, "utf8").trim())
  return {
    url: Redacted.make(
      `postgres://${NAME}:${secret}@localhost:${SOCKET_PORT}/${NAME}?host=${encodeURIComponent(postmaster.socketFolder)}`
    ),
    pid: () => readPostmaster(cluster)?.pid
  }
})
