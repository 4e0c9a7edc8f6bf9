import { Effect } from "effect"
import type { JoinSupervisor, WorkerDuties, WorkerLink } from "../ports/WorkerLink.ts"
import { mergeExpositions } from "./mergeExposition.ts"
import { STOP_SIGNALS } from "./signals.ts"

/** The variable that makes a process a worker: its number, from 1. The supervisor sets it. */
export const WORKER_VARIABLE = "FOOTFALL_WORKER"

/** Messages from a worker to its supervisor. `Rendered` answers `Render`; `metrics` is null if rendering failed. */
export type FromWorker =
  | { readonly _tag: "Connected" }
  | { readonly _tag: "Ready"; readonly url: string; readonly shutdownTimeoutSeconds: number | null }
  | { readonly _tag: "Scrape" }
  | { readonly _tag: "Rendered"; readonly id: number; readonly metrics: string | null }

/** Messages from the supervisor to a worker. `Scraped` answers every earlier `Scrape`. */
export type ToWorker =
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Render"; readonly id: number }
  | { readonly _tag: "Scraped"; readonly metrics: string }

/** The supervisor waits one second for the slowest worker; the rest is for the messages. */
const SCRAPE_DEADLINE_MS = 1_500

/** Whether a supervisor started this process. */
export const isWorker = (): boolean => process.env[WORKER_VARIABLE] !== undefined && process.send !== undefined

/** Links this process to its supervisor until the scope closes; after that the link does not keep the process alive. */
export const joinSupervisor: JoinSupervisor = (duties) =>
  isWorker()
    ? Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => join(Number(process.env[WORKER_VARIABLE]), duties)),
          ({ leave }) => Effect.sync(leave)
        ),
        ({ link }) => link
      )
    : Effect.succeed({
        worker: null,
        announceReady: () => {},
        gatherMetrics: () => Promise.resolve(duties.renderMetrics())
      })

const join = (worker: number, duties: WorkerDuties): { readonly link: WorkerLink; readonly leave: () => void } => {
  const send = (message: FromWorker) => {
    if (process.connected) process.send?.(message)
  }
  let scrape: PromiseWithResolvers<string | null> | null = null

  const render = async (id: number) => {
    let metrics: string | null = null
    try {
      metrics = await duties.renderMetrics()
    } finally {
      send({ _tag: "Rendered", id, metrics })
    }
  }
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    duties.stop()
  }
  /** Terminals and systemd signal every process of a group, so this one stops without its supervisor's message. */
  const onSignal = () => {
    stopping = true
  }
  const receive = (message: ToWorker) => {
    if (message._tag === "Stop") stop()
    else if (message._tag === "Render") void render(message.id).catch(() => {})
    else scrape?.resolve(message.metrics)
  }
  const onDisconnect = () => {
    scrape?.resolve(null)
    stop()
  }

  /** All workers' metrics, or only this one's if the supervisor does not answer in time. */
  const requestScrape = async (): Promise<string> => {
    const requested = Promise.withResolvers<string | null>()
    scrape = requested
    const deadline = setTimeout(() => requested.resolve(null), SCRAPE_DEADLINE_MS)
    send({ _tag: "Scrape" })
    if (!process.connected) requested.resolve(null)
    const metrics = await requested.promise
    clearTimeout(deadline)
    scrape = null
    return metrics ?? mergeExpositions([{ worker, metrics: await duties.renderMetrics() }])
  }
  let pendingScrape: Promise<string> | null = null

  process.on("message", receive)
  process.on("disconnect", onDisconnect)
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal)
  send({ _tag: "Connected" })
  return {
    link: {
      worker,
      announceReady: (url, shutdownTimeoutSeconds) =>
        send({ _tag: "Ready", url, shutdownTimeoutSeconds: shutdownTimeoutSeconds ?? null }),
      gatherMetrics: () => {
        pendingScrape ??= requestScrape().finally(() => {
          pendingScrape = null
        })
        return pendingScrape
      }
    },
    leave: () => {
      process.off("message", receive)
      process.off("disconnect", onDisconnect)
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal)
      if (process.connected) process.disconnect?.()
    }
  }
}
