import { mkdirSync } from "node:fs"
import { hostname } from "node:os"
import { join, resolve } from "node:path"
import { Clock, Context, Duration, Effect, Layer, Redacted, type Scope } from "effect"
import { describeProgress } from "../../src/domain/rebuildProgress.ts"
import { StartError } from "../../src/domain/StartError.ts"
import { QueryEngine, QueryError, rowLimit, tookTooLong } from "../../src/ports/QueryEngine.ts"
import { Replica, type ReplicaCheck, type ReplicaStatus } from "../../src/ports/Replica.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { fromEnvironment } from "../../src/settings/environment.ts"
import {
  DATA_DIR,
  EXPORT_TIMEOUT_SECONDS,
  REPLICA_MEMORY_LIMIT,
  REPLICA_TEMP_LIMIT,
  REPLICA_THREADS,
  WAREHOUSE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { makeQueryChild } from "../duckdb/child/QueryChild.ts"
import { DatabaseUrl } from "../postgres/client/Database.ts"
import * as metrics from "./metrics.ts"
import { CALLS, type ReplicaOptions, type ReplicaRequest } from "./protocol.ts"

/** The process opens its file after it has said that it is ready. */
const OPEN_MS = 30_000
/** How long the process may take to finish its transaction and write its log into the file. */
const STOP_MS = 3_000
/** The pause before a process that ended is started again. */
const RESTART_MS = { first: 1_000, most: 30_000 }
/** A process that ran for so long did not fail at its start. */
const STABLE_MS = 60_000
const CHECK_MINUTES = 60
const SYNC_SECONDS = 60
/** How often a rebuild's progress is logged. */
const PROGRESS_MS = 10_000
/** The embedded Postgres is usually on the same disk, and needs room for what it acknowledges. */
const MIN_FREE_BYTES = 256 << 20

export interface MakeReplicaOptions extends Omit<ReplicaOptions, "host"> {
  /** The program of the replica's process: it must call `serveReplica`. */
  readonly entry: URL
  readonly deadlineMs: number
  readonly exportDeadlineMs: number
}

export interface RunningReplica {
  readonly engine: QueryEngine["Service"]
  readonly replica: Replica["Service"]
}

const STARTING: ReplicaStatus = {
  phase: "starting",
  why: null,
  isUsable: false,
  progress: null,
  asOf: null,
  version: "",
  bytes: 0,
  check: null
}

const refused = (message: string) => new StartError({ message: `The replica's DuckDB can't be used: ${message}` })

/** Logs what an operator should know: each change of phase, and a rebuild's progress. */
const makeLog = (context: Context.Context<never>) => {
  const run = Effect.runForkWith(context)
  let loggedAt = 0
  return (before: ReplicaStatus, { phase, progress, why }: ReplicaStatus): void => {
    const isNew = before.phase !== phase || (phase === "waiting" && before.why !== why)
    if (!isNew && (progress === null || performance.now() - loggedAt < PROGRESS_MS)) return
    loggedAt = performance.now()
    if (phase === "waiting") run(Effect.logWarning(`The replica waits: ${why}.`))
    else if (phase === "following") run(Effect.logInfo("The replica is up to date and answers questions."))
    else if (phase === "rebuilding") {
      const far = progress === null ? "" : ` So far: ${describeProgress(progress)}.`
      run(
        Effect.logInfo(
          `The replica is being rebuilt${why === null ? "" : ` (${why})`}; Postgres answers questions meanwhile.${far}`
        )
      )
    }
  }
}

const measure = (context: Context.Context<never>, status: ReplicaStatus, now: number): void => {
  metrics.usable.updateUnsafe(status.isUsable ? 1 : 0, context)
  metrics.fileBytes.updateUnsafe(status.bytes, context)
  metrics.rebuiltRows.updateUnsafe(status.progress?.rows ?? 0, context)
  if (status.asOf !== null)
    metrics.lagSeconds.updateUnsafe(Math.max(0, (now - Date.parse(status.asOf)) / 1_000), context)
  if (status.check !== null) metrics.differences.updateUnsafe(status.check.differences, context)
}

/**
 * Keeps a replica in a process of its own, while the scope is open. Returns at once: the replica starts in the background. The process is
 * started again when it ends.
 */
export const makeReplica = Effect.fnUntraced(function* (
  options: MakeReplicaOptions
): Effect.fn.Return<RunningReplica, never, Scope.Scope> {
  const { deadlineMs, entry, exportDeadlineMs, ...open } = options
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const log = makeLog(context)
  let status = STARTING
  let onExit = () => {}
  const update = (next: ReplicaStatus) => {
    log(status, next)
    status = next
    measure(context, next, clock.currentTimeMillisUnsafe())
  }
  const child = yield* makeQueryChild<ReplicaOptions, ReplicaRequest>({
    entry,
    open: { ...open, host: hostname() },
    openMs: OPEN_MS,
    refused,
    onNotice: (notice) => update(notice as ReplicaStatus),
    onExit: (how) => {
      if (isStopping) return
      update({ ...status, phase: "waiting", why: `its process ended with ${how}`, isUsable: false, progress: null })
      onExit()
    }
  })
  let isStopping = false
  let isRunning = false
  // Before the process is killed.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isStopping = true
      return isRunning ? Effect.ignore(Effect.timeout(child.call(CALLS.stop, null), STOP_MS)) : Effect.void
    })
  )

  const live = Effect.gen(function* () {
    const ended = new Promise<void>((resolve) => {
      onExit = resolve
    })
    yield* child.ensureOpened
    isRunning = true
    yield* Effect.promise(() => ended)
    isRunning = false
  })
  const supervise = Effect.gen(function* () {
    let pause: number = RESTART_MS.first
    for (;;) {
      const begun = performance.now()
      yield* Effect.catch(live, ({ message }) =>
        Effect.sync(() => update({ ...status, phase: "waiting", why: message, isUsable: false }))
      )
      if (performance.now() - begun > STABLE_MS) pause = RESTART_MS.first
      yield* Effect.sleep(pause)
      pause = Math.min(pause * 2, RESTART_MS.most)
    }
  })
  yield* Effect.forkScoped(supervise)

  const late = Effect.timeoutOrElse({ duration: deadlineMs, orElse: () => Effect.fail(tookTooLong(deadlineMs)) })
  const engine = QueryEngine.of({
    dialect: "duckdb",
    model: "replica",
    run: (query) => late(child.run({ query, maxRows: rowLimit(query) })),
    stream: (query, spentMs) =>
      child.stream(
        { query, maxRows: query.maxRows ?? Number.POSITIVE_INFINITY },
        { deadlineMs: exportDeadlineMs, spentMs }
      ),
    asOf: Effect.suspend(() =>
      status.isUsable && status.asOf !== null
        ? Effect.succeed({ time: status.asOf, version: status.version })
        : Effect.fail(
            new QueryError({
              reason: "Unavailable",
              message: `The replica can't answer: ${status.why ?? status.phase}.`
            })
          )
    )
  })
  const call = (name: string, within: Duration.Duration) =>
    Effect.timeoutOrElse(child.call(name, null), {
      duration: within,
      orElse: () =>
        Effect.fail(
          new QueryError({
            reason: "Timeout",
            message: `The replica did not finish within ${Duration.format(within)}.`
          })
        )
    })
  return {
    engine,
    replica: Replica.of({
      status: Effect.sync(() => status),
      rebuild: Effect.asVoid(call(CALLS.rebuild, Duration.seconds(10))),
      check: Effect.map(call(CALLS.check, Duration.minutes(CHECK_MINUTES)), (check) => check as ReplicaCheck),
      sync: Effect.asVoid(call(CALLS.sync, Duration.seconds(SYNC_SECONDS)))
    })
  }
})

/** The engine of the replica, which may not be usable yet. */
export class ReplicaEngine extends Context.Service<ReplicaEngine, QueryEngine["Service"]>()(
  "footfall/replica/ReplicaEngine"
) {}

/** The replica in `DATA_DIR`, as the settings describe it. `entry` is the program of its process. */
export const layer = (entry: URL): Layer.Layer<Replica | ReplicaEngine, StartError, Settings | DatabaseUrl> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { get } = yield* Settings
      const { url } = yield* DatabaseUrl
      const folder = resolve(join(yield* fromEnvironment(DATA_DIR), "replica"))
      yield* Effect.try({
        try: () => mkdirSync(folder, { recursive: true, mode: 0o700 }),
        catch: (cause) =>
          new StartError({
            message: `The replica's folder ${folder} can't be created: ${String(cause)}. Set DATA_DIR.`
          })
      })
      const { engine, replica } = yield* makeReplica({
        entry,
        folder,
        databaseUrl: Redacted.value(url),
        memoryLimit: get(REPLICA_MEMORY_LIMIT),
        tempLimit: get(REPLICA_TEMP_LIMIT),
        threads: get(REPLICA_THREADS),
        minFreeBytes: MIN_FREE_BYTES,
        deadlineMs: get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000,
        exportDeadlineMs: get(EXPORT_TIMEOUT_SECONDS) * 1_000
      })
      return Context.make(Replica, replica).pipe(Context.add(ReplicaEngine, engine))
    })
  )
