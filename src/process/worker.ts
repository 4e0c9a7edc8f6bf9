import { Effect, type Scope } from "effect"
import { mergeExpositions } from "./mergeExposition.ts"

/** The variable that makes a process a worker: its number, from 1. Set by the supervisor. */
export const WORKER_VARIABLE = "FOOTFALL_WORKER"

/** What workers tell their supervisor. `Rendered` answers `Render`; its text is null when rendering failed. */
export type FromWorker =
  | { readonly _tag: "Connected" }
  | { readonly _tag: "Ready"; readonly url: string; readonly shutdownTimeoutSeconds: number | null }
  | { readonly _tag: "Scrape" }
  | { readonly _tag: "Rendered"; readonly id: number; readonly text: string | null }

/** What the supervisor tells its workers. `Scraped` answers every `Scrape` that came before it. */
export type ToWorker =
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Render"; readonly id: number }
  | { readonly _tag: "Scraped"; readonly text: string }

/** The supervisor waits one second for the slowest worker; the rest is for the way. */
const SCRAPE_DEADLINE_MS = 1_500

const SIGNALS = ["SIGTERM", "SIGINT"] as const

/** This process's tie to its supervisor, or what stands in for it when there is none. */
export interface WorkerLink {
  /** From 1; null when this process has no supervisor. */
  readonly worker: number | null
  /** Tells the supervisor that requests are answered at `url`, and how long draining may take when that is not its own setting. */
  readonly announceReady: (url: string, shutdownTimeoutSeconds?: number) => void
  /** The metrics of all workers, each sample with a label `worker`; without a supervisor this process's own, as they are. */
  readonly gatherMetrics: () => Promise<string>
}

export interface WorkerPart {
  /** This process's metrics in Prometheus' text format. */
  readonly renderMetrics: () => Promise<string> | string
  /** Called once when the supervisor wants this process to drain and exit, or is gone; not when a signal said so before. */
  readonly stop: () => void
}

/** True in a process that a supervisor started; such a process shares its port (`reusePort`). */
export const isWorker = (): boolean => process.env[WORKER_VARIABLE] !== undefined && process.send !== undefined

/** Ties this process to its supervisor until the scope closes; afterwards nothing of the tie keeps the process alive. */
export const joinSupervisor = (part: WorkerPart): Effect.Effect<WorkerLink, never, Scope.Scope> =>
  isWorker()
    ? Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => join(Number(process.env[WORKER_VARIABLE]), part)),
          ({ leave }) => Effect.sync(leave)
        ),
        ({ link }) => link
      )
    : Effect.succeed({
        worker: null,
        announceReady: () => {},
        gatherMetrics: () => Promise.resolve(part.renderMetrics())
      })

const join = (worker: number, part: WorkerPart): { readonly link: WorkerLink; readonly leave: () => void } => {
  const tell = (message: FromWorker) => {
    if (process.connected) process.send?.(message)
  }
  let scrape: PromiseWithResolvers<string | null> | null = null

  const render = async (id: number) => {
    let text: string | null = null
    try {
      text = await part.renderMetrics()
    } finally {
      tell({ _tag: "Rendered", id, text })
    }
  }
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    part.stop()
  }
  /** A terminal and systemd signal every process of a group; their handlers stop this one without the supervisor. */
  const heardSignal = () => {
    stopping = true
  }
  const hear = (message: ToWorker) => {
    if (message._tag === "Stop") stop()
    else if (message._tag === "Render") void render(message.id).catch(() => {})
    else scrape?.resolve(message.text)
  }
  const lose = () => {
    scrape?.resolve(null)
    stop()
  }

  const ask = async (): Promise<string> => {
    const asked = Promise.withResolvers<string | null>()
    scrape = asked
    const deadline = setTimeout(() => asked.resolve(null), SCRAPE_DEADLINE_MS)
    tell({ _tag: "Scrape" })
    if (!process.connected) asked.resolve(null)
    const text = await asked.promise
    clearTimeout(deadline)
    scrape = null
    return text ?? mergeExpositions([{ worker, text: await part.renderMetrics() }])
  }
  let asking: Promise<string> | null = null

  process.on("message", hear)
  process.on("disconnect", lose)
  for (const signal of SIGNALS) process.on(signal, heardSignal)
  tell({ _tag: "Connected" })
  return {
    link: {
      worker,
      announceReady: (url, shutdownTimeoutSeconds) =>
        tell({ _tag: "Ready", url, shutdownTimeoutSeconds: shutdownTimeoutSeconds ?? null }),
      gatherMetrics: () => {
        asking ??= ask().finally(() => {
          asking = null
        })
        return asking
      }
    },
    leave: () => {
      process.off("message", hear)
      process.off("disconnect", lose)
      for (const signal of SIGNALS) process.off(signal, heardSignal)
      if (process.connected) process.disconnect?.()
    }
  }
}
