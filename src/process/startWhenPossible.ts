import { Clock, Duration, Effect, Exit, Scope } from "effect"
import type { StartError } from "../domain/StartError.ts"
import type { WaitingServer } from "./WaitingServer.ts"

/** Pauses between attempts to start: doubling from the first to the longest. */
const FIRST_PAUSE = Duration.seconds(1)
const LONGEST_PAUSE = Duration.seconds(15)
/** A start that takes longer than this answers probes meanwhile. */
const QUICK_START = Duration.millis(1_500)
/** How often the log repeats why the process is still waiting. */
const LOG_INTERVAL_MS = 60_000

const pauseAfter = (failures: number): Duration.Duration =>
  Duration.min(Duration.times(FIRST_PAUSE, 2 ** Math.min(failures - 1, 20)), LONGEST_PAUSE)

/**
 * Starts again and again while something outside keeps the process from starting, such as an unreachable database, with growing pauses
 * and a log line a minute. `server` answers probes from the first failure on, or when the first attempt takes long. Fails with the first
 * error that trying again does not help against.
 */
export const startWhenPossible = Effect.fnUntraced(function* <A>(
  start: Effect.Effect<A, StartError, Scope.Scope>,
  server: WaitingServer
): Effect.fn.Return<A, StartError, Scope.Scope> {
  const parent = yield* Effect.scope
  yield* Effect.addFinalizer(() => server.giveWay)
  yield* Effect.forkScoped(Effect.delay(server.listenEarly, QUICK_START))
  let loggedAt = Number.NEGATIVE_INFINITY
  for (let failures = 1; ; failures++) {
    const scope = yield* Scope.fork(parent)
    const outcome = yield* Effect.result(
      Scope.provide(start, scope).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))))
    )
    if (outcome._tag === "Success") return outcome.success
    const error = outcome.failure
    if (error.outside !== true) return yield* error
    server.reason = error.message
    yield* server.listen
    const now = yield* Clock.currentTimeMillis
    if (now - loggedAt >= LOG_INTERVAL_MS) {
      loggedAt = now
      yield* Effect.logWarning(`Waiting to start: ${error.message}`)
    }
    yield* Effect.sleep(pauseAfter(failures))
  }
})
