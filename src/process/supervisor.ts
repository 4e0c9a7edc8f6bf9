import { Clock, Deferred, Duration, Effect, FiberSet } from "effect"
import { StartError } from "../domain/StartError.ts"
import { listenProblem } from "../lib/listenProblem.ts"
import { REFUSED_TO_START } from "./exitCodes.ts"
import { makeWorkerScrape } from "./scrapeWorkers.ts"
import { onStopSignals } from "./signals.ts"
import { type WorkerExit, WorkerProcess } from "./WorkerProcess.ts"
import type { FromWorker } from "./worker.ts"

/** Pauses before a crashed worker is restarted: doubling from the first to the longest. */
const FIRST_PAUSE = Duration.millis(100)
const LONGEST_PAUSE = Duration.seconds(10)
/** A worker that ran for this long was healthy: its next crash counts as the first. */
const HEALTHY_AFTER = Duration.seconds(30)
/** Added to the workers' own deadline, so that they can report what was left. */
const GRACE = Duration.seconds(2)

export interface SupervisorOptions {
  readonly workers: number
  readonly hostname: string
  /** Shared by all workers; 0 picks a free one. */
  readonly port: number
  /** The workers' deadline for draining, unless a worker reports a longer one. */
  readonly shutdownTimeout: Duration.Duration
}

/** Finds the port that all workers will share. Fails if it is in use: with `reusePort`, both servers would listen. */
const claimPort = (hostname: string, port: number): Effect.Effect<number, StartError> =>
  Effect.try({
    try: () => {
      const probe = Bun.listen({ hostname, port, socket: { data: () => {} } })
      const claimed = probe.port
      probe.stop(true)
      return claimed
    },
    catch: (error) => new StartError({ message: listenProblem(error, hostname, port) })
  })

/** The pause before the restart that follows this many crashes in a row. */
const pauseAfter = (crashes: number): Duration.Duration =>
  Duration.min(Duration.times(FIRST_PAUSE, 2 ** Math.min(crashes - 1, 20)), LONGEST_PAUSE)

/**
 * Runs `workers` processes of this program on one port until SIGTERM or SIGINT, restarts those that crash, and answers their scrapes.
 * Succeeds with the exit code: 0 if every worker drained; 1 if one did not, or after a second signal; 2 if a worker refused to start.
 */
export const supervise: (options: SupervisorOptions) => Effect.Effect<number, StartError> = Effect.fnUntraced(
  function* (options: SupervisorOptions) {
    const port = yield* claimPort(options.hostname, options.port)
    const fork = yield* FiberSet.makeRuntime<never>()
    const shutdown = makeShutdown(options.shutdownTimeout)
    const workers = Array.from(
      { length: options.workers },
      (_, index) => new WorkerProcess(index + 1, port, (worker, message) => receive(worker, message))
    )
    const { onRendered, scrape } = makeWorkerScrape(workers)
    const announce = onceAllReady(workers)

    const receive = (worker: WorkerProcess, message: FromWorker): void => {
      switch (message._tag) {
        case "Connected":
          worker.connected = true
          if (shutdown.isStopping()) worker.stop()
          return
        case "Ready":
          worker.ready = true
          worker.everReady = true
          shutdown.allow(Duration.seconds(message.shutdownTimeoutSeconds ?? 0))
          fork(announce(message.url))
          return
        case "Scrape":
          fork(Effect.map(scrape, (metrics) => worker.send({ _tag: "Scraped", metrics })))
          return
        case "Rendered":
          onRendered(worker.number, message.id, message.metrics)
      }
    }

    // The handlers stay: a signal while this process ends must not change how it ends.
    onStopSignals((signal, first) => {
      fork(first ? shutdown.stop(workers, signal) : shutdown.kill(workers, signal))
    })
    yield* Effect.forEach(workers, (worker) => keepRunning(worker, shutdown, workers), {
      concurrency: "unbounded",
      discard: true
    })
    return shutdown.exitCode()
  },
  Effect.scoped
)

type Shutdown = ReturnType<typeof makeShutdown>

/** Stops the workers once, and remembers the exit code. */
const makeShutdown = (initialTimeout: Duration.Duration) => {
  const stopping = Deferred.makeUnsafe<void>()
  let timeout = initialTimeout
  let exitCode = 0
  const raise = (code: number): void => {
    exitCode = Math.max(exitCode, code)
  }
  const killAll = (workers: ReadonlyArray<WorkerProcess>) =>
    Effect.sync(() => {
      for (const worker of workers) worker.kill()
    })
  return {
    raise,
    exitCode: () => exitCode,
    isStopping: () => Deferred.isDoneUnsafe(stopping),
    started: Deferred.await(stopping),
    /** Gives the workers at least this much time. */
    allow: (atLeast: Duration.Duration): void => {
      timeout = Duration.max(timeout, atLeast)
    },
    /** Asks the workers to drain, and kills them after the deadline. */
    stop: Effect.fnUntraced(function* (workers: ReadonlyArray<WorkerProcess>, signal: string | null) {
      if (signal !== null) yield* Effect.logInfo(`${signal}: the workers finish what they accepted.`)
      if (!(yield* Deferred.succeed(stopping, undefined))) return
      for (const worker of workers) worker.stop()
      const deadline = Duration.sum(timeout, GRACE)
      yield* Effect.sleep(deadline)
      raise(1)
      yield* Effect.logError(`Workers were still busy after ${Duration.format(deadline)}; killing them.`)
      yield* killAll(workers)
    }),
    /** Kills the workers after a second signal. */
    kill: Effect.fnUntraced(function* (workers: ReadonlyArray<WorkerProcess>, signal: string) {
      raise(1)
      yield* Effect.logError(`${signal} again: killing the workers.`)
      yield* killAll(workers)
    })
  }
}

/** Logs once, when every worker has been ready. */
const onceAllReady = (workers: ReadonlyArray<WorkerProcess>) => {
  let announced = false
  return (url: string): Effect.Effect<void> => {
    if (announced || !workers.every(({ everReady }) => everReady)) return Effect.void
    announced = true
    return Effect.logInfo(`${workers.length} workers listen on ${url}.`)
  }
}

/** Runs a worker, restarting it after crashes, until the supervisor stops or the worker refuses to start. */
const keepRunning = Effect.fnUntraced(function* (
  worker: WorkerProcess,
  shutdown: Shutdown,
  workers: ReadonlyArray<WorkerProcess>
) {
  for (let crashes = 0; ; worker.restarts++) {
    const startedAt = yield* Clock.currentTimeMillis
    const exit = yield* worker.runOnce
    if (shutdown.isStopping()) {
      if (!hasDrained(worker, exit)) shutdown.raise(1)
      return
    }
    if (exit.code === REFUSED_TO_START && !worker.everReady) {
      shutdown.raise(REFUSED_TO_START)
      yield* Effect.logError(`Worker ${worker.number} refused to start; stopping all workers.`)
      yield* Effect.forkScoped(shutdown.stop(workers, null))
      return
    }
    const uptime = Duration.millis((yield* Clock.currentTimeMillis) - startedAt)
    crashes = Duration.isGreaterThanOrEqualTo(uptime, HEALTHY_AFTER) ? 1 : crashes + 1
    const pause = pauseAfter(crashes)
    const how = exit.signal ?? `code ${exit.code}`
    yield* Effect.logWarning(`Worker ${worker.number} ended (${how}); restarting it in ${Duration.format(pause)}.`)
    yield* Effect.raceFirst(Effect.sleep(pause), shutdown.started)
    if (shutdown.isStopping()) return
  }
})

/** A worker that SIGTERM reached before it listened to `Stop` had not taken a request yet. */
const hasDrained = ({ ready }: WorkerProcess, { code, signal }: WorkerExit): boolean =>
  code === 0 || (signal === "SIGTERM" && !ready)
