import type { PortName } from "./place.ts"
import type { Command } from "./processes.ts"

/** A server that tests are run against. */
export interface Service {
  readonly name: string
  /** What it is for, one line. */
  readonly what: string
  readonly version: string
  /** Everything it listens on, the port that clients use most first. */
  readonly ports: ReadonlyArray<PortName>
  /** What it keeps between starts. */
  readonly dataFolder: string
  /** Gets its programs when they are missing. */
  readonly fetch: () => Promise<void>
  /** Makes its configuration anew and says how to start it. */
  readonly prepare: () => Promise<Command>
  /** Whether it does what clients want of it. */
  readonly isReady: () => Promise<boolean>
  /** A start that takes longer never ends. */
  readonly startMs: number
  /** Makes what has to be in it, once it is ready. */
  readonly settle?: () => Promise<void>
  readonly stopSignal: NodeJS.Signals
  readonly stopMs: number
  /** Removes what it leaves outside of its folder. */
  readonly tidy?: () => void
}
