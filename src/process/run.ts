import { Cause, Effect, Exit, Fiber, Formatter, Layer, Logger, type LogLevel, References, Scope } from "effect"
import type { StartError } from "../domain/StartError.ts"
import { checkEnvironment } from "../settings/environment.ts"
import { checkTimeZone } from "../settings/timeZone.ts"
import { REFUSED_TO_START } from "./exitCodes.ts"
import { onStopSignals } from "./signals.ts"
import { startWhenPossible } from "./startWhenPossible.ts"
import { type WaitingOptions, WaitingServer } from "./WaitingServer.ts"

/** What is needed to stop a process that has started. */
export interface Running {
  /** Deadline for stopping. */
  readonly shutdownTimeoutSeconds: number
  /** What has not been done yet; run once the deadline has passed. */
  readonly leftovers: Effect.Effect<Leftovers>
}

export interface Leftovers {
  /** In words. */
  readonly what: string
  /** Whether everything that was acknowledged is on the disk, for the next start. */
  readonly areSafe: boolean
}

export interface LogOptions {
  readonly format: "pretty" | "json"
  readonly level: "debug" | "info" | "warn" | "error"
}

const LEVELS = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

/** Terminal colors of levels that need attention. `console.error` would print every line in red. */
const COLORS: Partial<Record<LogLevel.LogLevel, string>> = { Warn: "\x1b[33m", Error: "\x1b[31m", Fatal: "\x1b[31m" }
const RESET = "\x1b[0m"

/** `23:43:31 INFO  Migrated the database`, as people read it. */
const terminalLine = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): string => {
  const parts = (Array.isArray(message) ? message : [message]).map((part) =>
    typeof part === "string" ? part : Formatter.format(part)
  )
  for (const [key, value] of Object.entries(fiber.getRef(References.CurrentLogAnnotations))) {
    parts.push(`${key}=${typeof value === "string" ? value : Formatter.format(value)}`)
  }
  if (cause.reasons.length > 0) parts.push(Cause.pretty(cause))
  const line = `${date.toTimeString().slice(0, 8)} ${logLevel.toUpperCase().padEnd(5)} ${parts.join(" ")}`
  const color = process.env["NO_COLOR"] ? undefined : COLORS[logLevel]
  return color === undefined ? line : `${color}${line}${RESET}`
}

const toTerminal = (format: (options: Logger.Options<unknown>) => string): Logger.Logger<unknown, void> =>
  Logger.make((options) => void process.stderr.write(`${format(options)}\n`))

/** Logs to standard error, which leaves standard output to the command. */
export const logging = (options: LogOptions): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([
      process.stderr.isTTY
        ? toTerminal(options.format === "json" ? (line) => Logger.formatJson.log(line) : terminalLine)
        : Logger.withConsoleError(options.format === "json" ? Logger.formatJson : Logger.formatLogFmt)
    ]),
    Layer.succeed(References.MinimumLogLevel, LEVELS[options.level])
  )

/** What a process needs to know before it starts. */
export interface ProcessOptions {
  readonly log: LogOptions
  /** Where it answers probes while it waits to start. */
  readonly listen: WaitingOptions
}

/** What a starting process gets. */
export interface ProcessControl {
  /** Ends the process. */
  readonly stop: () => void
  /** To run just before the process listens on its port. */
  readonly beforeListen: Effect.Effect<void>
}

/**
 * Runs a process until SIGTERM, SIGINT or `stop`, then closes its scope and exits with 0. After a second signal, or past the deadline,
 * it exits with 1, or with 0 if all that was left is safe on the disk, and reports what was left. A configuration that cannot work is
 * printed, and the process exits with 2. Anything else that keeps it from starting is tried again (`startWhenPossible`).
 */
export const runProcess = (
  options: Effect.Effect<ProcessOptions, StartError>,
  start: (control: ProcessControl) => Effect.Effect<Running, StartError, Scope.Scope>
): void => {
  const scope = Scope.makeUnsafe()
  let running: Running | null = null
  let stopping = false
  let log: (message: string) => Effect.Effect<void> = () => Effect.void

  const exitWith = (code: number, message: string | null): void => {
    if (message !== null) process.stderr.write(`${message}\n`)
    process.exit(code)
  }

  const exitWithLeftovers = (code: number, why: string): void => {
    const unsafe = (what: string) => Effect.succeed({ what, areSafe: false })
    const leftovers = (running === null ? unsafe("it had not started") : running.leftovers).pipe(
      Effect.timeout("1 second"),
      Effect.catchCause(() => unsafe("what was left is unknown"))
    )
    void Effect.runPromise(leftovers).then(({ areSafe, what }) => exitWith(areSafe ? 0 : code, `${why}: ${what}.`))
  }

  const stop = (): void => {
    if (stopping) return
    stopping = true
    if (running !== null) {
      const seconds = running.shutdownTimeoutSeconds
      setTimeout(
        () => exitWithLeftovers(1, `Not stopped within ${seconds} s (SHUTDOWN_TIMEOUT_SECONDS)`),
        seconds * 1000
      ).unref()
    }
    const closed = Effect.andThen(Fiber.interrupt(starting), Scope.close(scope, Exit.void))
    Effect.runFork(closed).addObserver((exit) => {
      if (Exit.isFailure(exit)) return exitWith(1, `Stopping failed: ${Cause.pretty(exit.cause)}`)
      Effect.runSync(log("Stopped."))
      exitWith(0, null)
    })
  }

  onStopSignals((signal, first) => {
    if (!first) return exitWithLeftovers(1, "Stopped by a second signal")
    const seconds = running?.shutdownTimeoutSeconds
    const within = seconds === undefined ? "" : `, within ${seconds} s`
    Effect.runFork(log(`${signal}: finishing what was accepted${within}. ${again(signal)} stops without waiting.`))
    stop()
  })

  const program = Effect.gen(function* () {
    yield* checkTimeZone
    // Before anything starts: the settings table could not correct it later, since the environment takes precedence.
    yield* checkEnvironment
    const given = yield* options
    const layer = logging(given.log)
    log = (message) => Effect.provide(Effect.logInfo(message), layer)
    const waiting = new WaitingServer(given.listen)
    const started = startWhenPossible(start({ stop, beforeListen: waiting.giveWay }), waiting)
    return yield* Effect.provide(Scope.provide(started, scope), layer)
  })
  const starting = Effect.runFork(program)
  starting.addObserver((exit) => {
    if (Exit.isSuccess(exit)) {
      running = exit.value
      return
    }
    if (stopping) return
    const { code, message } = failureOf(exit.cause)
    Effect.runFork(Scope.close(scope, Exit.void)).addObserver(() => exitWith(code, message))
  })
}

const again = (signal: string): string =>
  signal === "SIGINT" && process.stderr.isTTY ? "Pressing Ctrl-C again" : "A second signal"

const failureOf = (cause: Cause.Cause<StartError>): { readonly code: number; readonly message: string } => {
  const reason = cause.reasons[0]
  return reason?._tag === "Fail"
    ? { code: REFUSED_TO_START, message: reason.error.message }
    : { code: 1, message: `Footfall cannot start: ${Cause.pretty(cause)}` }
}

/** Runs an effect that yields the process's exit code, or null if something else will end the process. */
export const runToExit = (program: Effect.Effect<number | null, StartError>): void => {
  Effect.runFork(program).addObserver((exit) => {
    if (Exit.isSuccess(exit)) {
      if (exit.value !== null) process.exit(exit.value)
      return
    }
    const { code, message } = failureOf(exit.cause)
    process.stderr.write(`${message}\n`)
    process.exit(code)
  })
}
