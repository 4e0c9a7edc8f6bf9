import type { Subprocess } from "bun"
import { Effect } from "effect"
import { type FromWorker, type ToWorker, WORKER_VARIABLE } from "./worker.ts"

/** How a process ended: with a code, or by a signal. */
export interface WorkerExit {
  readonly code: number | null
  readonly signal: string | null
}

/** Starts this program again: the same runtime, flags, entry file and arguments. A compiled program is its own entry. */
const ownCommand = (): ReadonlyArray<string> =>
  Bun.main.startsWith("/$bunfs/")
    ? [process.execPath, ...process.argv.slice(2)]
    : [process.execPath, ...process.execArgv, Bun.main, ...process.argv.slice(2)]

/** One worker of a supervisor, across its restarts. */
export class WorkerProcess {
  readonly number: number
  readonly #port: number
  readonly #onMessage: (message: FromWorker) => void
  #child: Subprocess | null = null
  /** Whether it listens to `Stop`; before that, only signals reach it. */
  connected = false
  /** Whether the current process has listened. */
  ready = false
  /** Whether any of its processes has listened. */
  everReady = false
  restarts = 0

  /** `number` counts from 1; all workers share `port`. */
  constructor(number: number, port: number, onMessage: (worker: WorkerProcess, message: FromWorker) => void) {
    this.number = number
    this.#port = port
    this.#onMessage = (message) => onMessage(this, message)
  }

  /** Starts the process; succeeds when it has ended. */
  readonly runOnce: Effect.Effect<WorkerExit> = Effect.callback((resume) => {
    this.connected = false
    this.ready = false
    this.#child = Bun.spawn([...ownCommand()], {
      env: { ...process.env, WORKERS: "1", PORT: String(this.#port), [WORKER_VARIABLE]: String(this.number) },
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "json",
      ipc: this.#onMessage,
      onExit: (_child, code, signal) => {
        this.#child = null
        this.connected = false
        const name = typeof signal === "number" ? `signal ${signal}` : (signal ?? null)
        resume(Effect.succeed({ code, signal: name }))
      }
    })
  })

  /** Whether the message was sent. */
  send(message: ToWorker): boolean {
    if (this.#child === null || !this.connected) return false
    try {
      this.#child.send(message)
      return true
    } catch {
      return false // Its channel has just closed, and its exit follows.
    }
  }

  readonly requestMetrics = (round: number): boolean => this.send({ _tag: "Render", id: round })

  /** Asks the worker to drain and exit. */
  stop(): void {
    if (!this.send({ _tag: "Stop" })) this.#child?.kill("SIGTERM")
  }

  kill(): void {
    this.#child?.kill("SIGKILL")
  }
}
