import { Deferred, Duration, Effect } from "effect"
import { type Exposition, mergeExpositions } from "./mergeExposition.ts"

/** A worker that does not render its metrics within this time is left out of the scrape. */
const RENDER_DEADLINE = Duration.seconds(1)

/** A worker as a scrape sees it. */
interface ScrapedWorker {
  readonly number: number
  readonly restarts: number
  /** Asks the worker to render its metrics for a round; false if it cannot be reached. */
  readonly requestMetrics: (round: number) => boolean
}

/** Scrapes at the same time share one round. */
interface Round {
  readonly id: number
  readonly missing: Set<number>
  readonly expositions: Array<Exposition>
  readonly complete: Deferred.Deferred<void>
}

export interface WorkerScrape {
  /** The metrics of all workers that answer in time, as one exposition. */
  readonly scrape: Effect.Effect<string>
  /** Takes a worker's answer; `metrics` is null if rendering failed. */
  readonly onRendered: (worker: number, round: number, metrics: string | null) => void
}

/** Collects the metrics of a supervisor's workers. */
export const makeWorkerScrape = (workers: ReadonlyArray<ScrapedWorker>): WorkerScrape => {
  let round: Round | null = null
  let rounds = 0

  const begin = (): Round => {
    const id = ++rounds
    const reachable = workers.filter((worker) => worker.requestMetrics(id))
    const begun: Round = {
      id,
      missing: new Set(reachable.map(({ number }) => number)),
      expositions: [],
      complete: Deferred.makeUnsafe()
    }
    if (begun.missing.size === 0) Deferred.doneUnsafe(begun.complete, Effect.void)
    return begun
  }

  const scrape = Effect.gen(function* () {
    const current = round ?? begin()
    round = current
    yield* Effect.timeoutOption(Deferred.await(current.complete), RENDER_DEADLINE)
    if (round === current) round = null
    const answered = new Set(current.expositions.map(({ worker }) => worker))
    return mergeExpositions([
      ...current.expositions.toSorted((a, b) => a.worker - b.worker),
      ...workers.map(({ number, restarts }) => ({
        worker: number,
        metrics: supervisorMetrics(answered.has(number), restarts)
      }))
    ])
  })

  return {
    scrape,
    onRendered: (worker, id, metrics) => {
      if (round === null || round.id !== id || !round.missing.delete(worker)) return
      if (metrics !== null) round.expositions.push({ worker, metrics })
      if (round.missing.size === 0) Deferred.doneUnsafe(round.complete, Effect.void)
    }
  }
}

/** What only the supervisor knows about a worker. */
const supervisorMetrics = (up: boolean, restarts: number): string =>
  [
    "# HELP footfall_worker_up Whether the worker answered this scrape.",
    "# TYPE footfall_worker_up gauge",
    `footfall_worker_up ${up ? 1 : 0}`,
    "# HELP footfall_worker_restarts_total Restarts of the worker after a crash.",
    "# TYPE footfall_worker_restarts_total counter",
    `footfall_worker_restarts_total ${restarts}`
  ].join("\n")
