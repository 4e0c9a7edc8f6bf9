import { Cause, Effect, Exit, Fiber, Layer, Logger, References, Scope } from "effect"
import type { StartError } from "../domain/StartError.ts"
import { REFUSED_TO_START } from "./exitCodes.ts"
import { onStopSignals } from "./signals.ts"

/** What is needed to stop a process that has started. */
export interface Running {
  /** Deadline for stopping. */
  readonly shutdownTimeoutSeconds: number
  /** What has not been done yet, in words; run once the deadline has passed. */
  readonly leftovers: Effect.Effect<string>
}

export interface LogOptions {
  readonly format: "pretty" | "json"
  readonly level: "debug" | "info" | "warn" | "error"
}

const LEVELS = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

/** Logs to standard error, which leaves standard output to the command. */
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
 * Runs a process until SIGTERM, SIGINT or `stop`, then closes its scope and exits with 0. After a second signal, or past the deadline,
 * it exits with 1 and reports what was left. A `StartError` is printed as it is, and the process exits with 2.
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

  const exitWithLeftovers = (code: number, why: string): void => {
    const leftovers = (running === null ? Effect.succeed("it had not started") : running.leftovers).pipe(
      Effect.timeout("1 second"),
      Effect.catchCause(() => Effect.succeed("what was left is unknown"))
    )
    void Effect.runPromise(leftovers).then((left) => exitWith(code, `${why}: ${left}.`))
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
      exitWith(
        Exit.isSuccess(exit) ? 0 : 1,
        Exit.isSuccess(exit) ? null : `Stopping failed: ${Cause.pretty(exit.cause)}`
      )
    })
  }

  onStopSignals((_, first) => (first ? stop() : exitWithLeftovers(1, "Stopped immediately by a second signal")))

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
