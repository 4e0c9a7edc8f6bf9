import { Cause, Effect, Exit, Fiber, Layer, Logger, References, Scope } from "effect"
import type { StartError } from "../domain/StartError.ts"
import { onStopSignals } from "./signals.ts"

/** Exit code of a process that can't start as it is configured; a supervisor does not start it again. */
export const REFUSED_TO_START = 2

/** What a started process tells about itself, for its end. */
export interface Running {
  /** How long stopping may take. */
  readonly shutdownTimeoutSeconds: number
  /** What is not done yet, in words; asked when the deadline passed. */
  readonly leftovers: Effect.Effect<string>
}

export interface LogOptions {
  readonly format: "pretty" | "json"
  readonly level: "debug" | "info" | "warn" | "error"
}

const LEVELS = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

/** Log lines on standard error, so that what a command prints on standard output stays its own. */
export const logging = (options: LogOptions): Layer.Layer<never> =>
  Layer.mergeAll(
    Logger.layer([
      Logger.withConsoleError(
        options.format === "json" ? Logger.formatJson : process.stderr.isTTY ? Logger.formatSimple : Logger.formatLogFmt
      )
    ]),
    Layer.succeed(References.MinimumLogLevel, LEVELS[options.level])
  )

/**
 * Runs a process until SIGTERM or SIGINT (or `stop`), then closes its scope: exit code 0. A second signal, or stopping that
 * outlasts its time, exits with 1 and says what was left. A `StartError` is printed as it is and exits with 2.
 */
export const runProcess = (
  log: Effect.Effect<LogOptions, StartError>,
  start: (stop: () => void) => Effect.Effect<Running, StartError, Scope.Scope>
): void => {
  const scope = Scope.makeUnsafe()
  let running: Running | null = null
  let stopping = false

  const exitWith = (code: number, message: string | null): void => {
    if (message !== null) process.stderr.write(`${message}\n`)
    process.exit(code)
  }

  const leave = (code: number, why: string): void => {
    const left = running === null ? Effect.succeed("it had not started") : running.leftovers
    const told = left.pipe(
      Effect.timeout("1 second"),
      Effect.catchCause(() => Effect.succeed("what was left is not known"))
    )
    void Effect.runPromise(told).then((text) => exitWith(code, `${why}: ${text}.`))
  }

  const stop = (): void => {
    if (stopping) return
    stopping = true
    if (running !== null) {
      const seconds = running.shutdownTimeoutSeconds
      setTimeout(() => leave(1, `Not stopped within ${seconds} s (SHUTDOWN_TIMEOUT_SECONDS)`), seconds * 1000).unref()
    }
    const closed = Effect.andThen(Fiber.interrupt(starting), Scope.close(scope, Exit.void))
    Effect.runFork(closed).addObserver((exit) => {
      exitWith(
        Exit.isSuccess(exit) ? 0 : 1,
        Exit.isSuccess(exit) ? null : `Stopping failed: ${Cause.pretty(exit.cause)}`
      )
    })
  }

  onStopSignals((_, first) => (first ? stop() : leave(1, "Stopped at once by a second signal")))

  const program = Effect.gen(function* () {
    const layer = logging(yield* log)
    return yield* Effect.provide(Scope.provide(start(stop), scope), layer)
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

const failureOf = (cause: Cause.Cause<StartError>): { readonly code: number; readonly message: string } => {
  const reason = cause.reasons[0]
  return reason?._tag === "Fail"
    ? { code: REFUSED_TO_START, message: reason.error.message }
    : { code: 1, message: `Footfall can't start: ${Cause.pretty(cause)}` }
}

/** Runs an effect that ends with the process' exit code, or with null when something else will end the process. */
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
