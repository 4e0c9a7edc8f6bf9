import type { PortName } from "./place.ts"
import type { Command } from "./processes.ts"

/** A server that tests run against. */
export interface Service {
  readonly name: string
  /** Its purpose, in one line. */
  readonly what: string
  readonly version: string
  /** Every port it listens on, the one that clients use most first. */
  readonly ports: ReadonlyArray<PortName>
  /** Where it keeps data between starts. */
  readonly dataFolder: string
  /** Fetches its programs if they are missing. */
  readonly fetch: () => Promise<void>
  /** Writes its configuration and returns how to start it. */
  readonly prepare: () => Promise<Command>
  /** Whether it does what clients need. */
  readonly isReady: () => Promise<boolean>
  /** A start that takes longer has failed. */
  readonly startMs: number
  /** Creates what it must contain, once it is ready. */
  readonly settle?: () => Promise<void>
  readonly stopSignal: NodeJS.Signals
  readonly stopMs: number
  /** Removes what it leaves outside its folder. */
  readonly tidy?: () => void
}
