import type { Effect, Scope } from "effect"

/** A process's link to its supervisor, or its stand-in for a process without one. */
export interface WorkerLink {
  /** The worker's number, from 1; null without a supervisor. Workers share their port (`reusePort`). */
  readonly worker: number | null
  /** Reports that the server answers at `url`, and how long draining may take if that differs from the supervisor's setting. */
  readonly announceReady: (url: string, shutdownTimeoutSeconds?: number) => void
  /** The metrics of all workers, each sample labeled `worker`; without a supervisor, this process's own. */
  readonly gatherMetrics: () => Promise<string>
}

/** What a process does for its supervisor. */
export interface WorkerDuties {
  /** This process's metrics in Prometheus' text format. */
  readonly renderMetrics: () => Promise<string> | string
  /** Called once when the supervisor asks this process to drain and exit, or is gone; not after a signal asked for it. */
  readonly stop: () => void
}

/** Links this process to its supervisor, if it has one, until the scope closes. */
export type JoinSupervisor = (duties: WorkerDuties) => Effect.Effect<WorkerLink, never, Scope.Scope>
