import type { Subprocess } from "bun"
import { Clock, Deferred, Duration, Effect, FiberSet } from "effect"
import { StartError } from "../domain/StartError.ts"
import { type Exposition, mergeExpositions } from "./mergeExposition.ts"
import { REFUSED_TO_START } from "./run.ts"
import { onStopSignals } from "./signals.ts"
import { type FromWorker, type ToWorker, WORKER_VARIABLE } from "./worker.ts"

/** Wait before a crashed worker is started again; doubles with each crash in a row. */
const FIRST_WAIT = Duration.millis(100)
const LONGEST_WAIT = Duration.seconds(10)
/** A worker that ran for this long was healthy: its next crash is a first one. */
const HEALTHY_AFTER = Duration.seconds(30)
/** What the supervisor adds to the workers' own deadline, so that they get to say what was left. */
const GRACE = Duration.seconds(2)
/** A worker that does not render its metrics within this time is left out of a scrape. */
const RENDER_DEADLINE = Duration.seconds(1)

export interface SupervisorOptions {
  readonly workers: number
  readonly hostname: string
  /** 0: a free one is picked, the same for all workers. */
  readonly port: number
  /** The workers' own deadline for draining; a longer one that a worker tells counts. */
  readonly shutdownTimeout: Duration.Duration
}

interface Worker {
  readonly number: number
  child: Subprocess | null
  /** It listens to `Stop`; before, only a signal reaches it. */
  connected: boolean
  everReady: boolean
  restarts: number
}

/** How to start this program once more: the same runtime, flags, entry file and arguments. A compiled program is its own entry. */
const ownCommand = (): ReadonlyArray<string> =>
  Bun.main.startsWith("/$bunfs/")
    ? [process.execPath, ...process.argv.slice(2)]
    : [process.execPath, ...process.execArgv, Bun.main, ...process.argv.slice(2)]

/** The port that all workers share. Fails when something else listens on it: `reusePort` alone would let both listen. */
const claimPort = (hostname: string, port: number): Effect.Effect<number, StartError> =>
  Effect.try({
    try: () => {
      const probe = Bun.listen({ hostname, port, socket: { data: () => {} } })
      const claimed = probe.port
      probe.stop(true)
      return claimed
    },
    catch: (error) =>
      new StartError({
        message:
          error instanceof Error && "code" in error && error.code === "EADDRINUSE"
            ? `Port ${port} is in use. Stop what listens there, or set PORT to another one (0 picks a free one).`
            : `Can't listen on ${hostname}:${port}: ${error instanceof Error ? error.message : String(error)}. Check HOST and PORT.`
      })
  })

/**
 * Runs `workers` processes of this program's entry point on one port until SIGTERM or SIGINT, starts crashed ones again, and
 * answers their scrapes. Succeeds with the exit code: 0 when every worker drained; 1 when one did not, within the deadline or
 * at all, or when a second signal came; 2 when a worker refused to start.
 */
export const supervise: (options: SupervisorOptions) => Effect.Effect<number, StartError> = Effect.fnUntraced(
  function* (options: SupervisorOptions) {
    const port = yield* claimPort(options.hostname, options.port)
    const fork = yield* FiberSet.makeRuntime<never>()
    const stopping = yield* Deferred.make<void>()
    const workers = Array.from(
      { length: options.workers },
      (_, i): Worker => ({ number: i + 1, child: null, connected: false, everReady: false, restarts: 0 })
    )
    let shutdownTimeout = options.shutdownTimeout
    let exitCode = 0
    const raise = (code: number) => {
      exitCode = Math.max(exitCode, code)
    }

    const tell = (worker: Worker, message: ToWorker): boolean => {
      if (worker.child === null || !worker.connected) return false
      try {
        worker.child.send(message)
        return true
      } catch {
        return false // its channel closed a moment ago; its exit is on the way
      }
    }

    const killAll = Effect.sync(() => {
      for (const { child } of workers) child?.kill("SIGKILL")
    })
    const stop = Effect.gen(function* () {
      if (!(yield* Deferred.succeed(stopping, undefined))) return
      for (const worker of workers) if (!tell(worker, { _tag: "Stop" })) worker.child?.kill("SIGTERM")
      const deadline = Duration.sum(shutdownTimeout, GRACE)
      yield* Effect.sleep(deadline)
      raise(1)
      yield* Effect.logError(`Workers did not drain within ${Duration.format(deadline)}; they are killed.`)
      yield* killAll
    })
    // Never taken back: a signal that comes while this process ends must not change how it ends.
    onStopSignals((signal, first) => {
      if (first) return void fork(Effect.andThen(Effect.logInfo(`${signal}: the workers drain.`), stop))
      raise(1)
      fork(Effect.andThen(Effect.logError(`${signal} again: the workers are killed.`), killAll))
    })

    const scrape = makeScrape(workers, tell)
    let announced = false
    const hear = (worker: Worker, message: FromWorker) => {
      if (message._tag === "Connected") {
        worker.connected = true
        if (Deferred.isDoneUnsafe(stopping)) tell(worker, { _tag: "Stop" })
      } else if (message._tag === "Ready") {
        worker.everReady = true
        shutdownTimeout = Duration.max(shutdownTimeout, Duration.seconds(message.shutdownTimeoutSeconds ?? 0))
        if (announced || !workers.every(({ everReady }) => everReady)) return
        announced = true
        fork(Effect.logInfo(`${workers.length} workers listen on ${message.url}.`))
      } else if (message._tag === "Scrape") {
        fork(Effect.map(scrape.all, (text) => tell(worker, { _tag: "Scraped", text })))
      } else scrape.rendered(worker.number, message.id, message.text)
    }

    const runOnce = (worker: Worker): Effect.Effect<{ readonly code: number | null; readonly signal: string | null }> =>
      Effect.callback((resume) => {
        worker.connected = false
        worker.child = Bun.spawn([...ownCommand()], {
          env: { ...process.env, WORKERS: "1", PORT: String(port), [WORKER_VARIABLE]: String(worker.number) },
          stdio: ["ignore", "inherit", "inherit"],
          serialization: "json",
          ipc: (message: FromWorker) => hear(worker, message),
          onExit: (_child, code, signal) => {
            worker.child = null
            worker.connected = false
            const name = typeof signal === "number" ? `signal ${signal}` : (signal ?? null)
            resume(Effect.succeed({ code, signal: name }))
          }
        })
      })

    const run = Effect.fnUntraced(function* (worker: Worker) {
      for (let crashes = 0; ; worker.restarts++) {
        const startedAt = yield* Clock.currentTimeMillis
        const { code, signal } = yield* runOnce(worker)
        if (Deferred.isDoneUnsafe(stopping)) {
          // A worker that SIGTERM met before it listened to `Stop` had taken no request yet.
          const drained = code === 0 || (signal === "SIGTERM" && !worker.everReady)
          return drained ? undefined : raise(1)
        }
        if (code === REFUSED_TO_START && !worker.everReady) {
          raise(REFUSED_TO_START)
          yield* Effect.logError(`Worker ${worker.number} refused to start; all workers stop.`)
          fork(stop)
          return
        }
        const upFor = Duration.millis((yield* Clock.currentTimeMillis) - startedAt)
        crashes = Duration.isGreaterThanOrEqualTo(upFor, HEALTHY_AFTER) ? 1 : crashes + 1
        const wait = Duration.min(Duration.times(FIRST_WAIT, 2 ** Math.min(crashes - 1, 20)), LONGEST_WAIT)
        yield* Effect.logWarning(
          `Worker ${worker.number} ended (${signal ?? `code ${code}`}); it is started again in ${Duration.format(wait)}.`
        )
        yield* Effect.raceFirst(Effect.sleep(wait), Deferred.await(stopping))
        if (Deferred.isDoneUnsafe(stopping)) return
      }
    })

    yield* Effect.forEach(workers, run, { concurrency: "unbounded", discard: true })
    return exitCode
  },
  Effect.scoped
)

/** Asks every worker for its metrics and merges what comes in time. Scrapes at the same time share one round. */
const makeScrape = (workers: ReadonlyArray<Worker>, tell: (worker: Worker, message: ToWorker) => boolean) => {
  interface Round {
    readonly id: number
    readonly missing: Set<number>
    readonly parts: Array<Exposition>
    readonly complete: Deferred.Deferred<void>
  }
  let round: Round | null = null
  let rounds = 0

  const begin = (): Round => {
    const id = ++rounds
    const asked = workers.filter((worker) => tell(worker, { _tag: "Render", id }))
    const begun: Round = {
      id,
      missing: new Set(asked.map(({ number }) => number)),
      parts: [],
      complete: Deferred.makeUnsafe()
    }
    if (begun.missing.size === 0) Deferred.doneUnsafe(begun.complete, Effect.void)
    return begun
  }

  const all = Effect.gen(function* () {
    const current = round ?? begin()
    round = current
    yield* Effect.timeoutOption(Deferred.await(current.complete), RENDER_DEADLINE)
    if (round === current) round = null
    const answered = new Set(current.parts.map(({ worker }) => worker))
    return mergeExpositions([
      ...current.parts.toSorted((a, b) => a.worker - b.worker),
      ...workers.map(({ number, restarts }) => ({
        worker: number,
        text: [
          "# HELP footfall_worker_up Whether the worker answered this scrape.",
          "# TYPE footfall_worker_up gauge",
          `footfall_worker_up ${answered.has(number) ? 1 : 0}`,
          "# HELP footfall_worker_restarts_total How often the worker was started again after a crash.",
          "# TYPE footfall_worker_restarts_total counter",
          `footfall_worker_restarts_total ${restarts}`
        ].join("\n")
      }))
    ])
  })

  return {
    all,
    rendered: (worker: number, id: number, text: string | null) => {
      if (round === null || round.id !== id || !round.missing.delete(worker)) return
      if (text !== null) round.parts.push({ worker, text })
      if (round.missing.size === 0) Deferred.doneUnsafe(round.complete, Effect.void)
    }
  }
}
