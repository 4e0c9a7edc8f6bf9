import { Duration, Effect, Exit, Queue, Schedule, Scope } from "effect"
import type { DatabaseClient } from "../../client/makeClient.ts"
import { openConnection } from "../../client/openConnection.ts"
import { CONTROL_DEADLINE, statementFailure } from "../../client/runStatement.ts"
import type { Followers } from "./Followers.ts"
import { TOPICS } from "./topics.ts"

/** The channel that the tables' triggers notify. */
const CHANNEL = "footfall_changes"
/** The wait before the first attempt to reconnect. Each further wait is twice as long, up to the maximum. */
const FIRST_RECONNECT = "250 millis"
const MAX_RECONNECT = "5 seconds"
const RECONNECT = Schedule.min([Schedule.exponential(FIRST_RECONNECT), Schedule.spaced(MAX_RECONNECT)])
/** TCP probes notice a dropped connection after this much silence; until then, polling finds the changes. */
const KEEP_ALIVE = Duration.seconds(10)

/** A connection of its own that listens for notifications, until the scope closes. */
const openListener = Effect.fnUntraced(function* (sql: DatabaseClient) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  return yield* Effect.gen(function* () {
    // Closes after the connection. Closing it first would send UNLISTEN and wait for a server that may hang.
    const listening = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const connection = yield* openConnection(sql.endpoint, {
      applicationName: "footfall-changes",
      session: {},
      types: sql.types,
      keepAlive: KEEP_ALIVE
    })
    return yield* Scope.provide(connection.listen(CHANNEL), listening)
  }).pipe(
    Scope.provide(scope),
    Effect.timeout(CONTROL_DEADLINE),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
})

/** Wakes followers when another process notifies them. Reconnects forever; an outage is logged once. */
export const listen = (sql: DatabaseClient, followers: Followers): Effect.Effect<void> => {
  let isOutageLogged = false
  const logOutage = (error: Parameters<typeof statementFailure>[0]) => {
    if (isOutageLogged) return Effect.void
    isOutageLogged = true
    return Effect.logWarning(`LISTEN failed; polling instead: ${statementFailure(error)}.`)
  }
  const connect = openListener(sql).pipe(Effect.tapError(logOutage), Effect.retry(RECONNECT))
  const wake = (payload: string): void => {
    const topic = TOPICS.find((topic) => topic === payload)
    if (topic === undefined) followers.wakeAll()
    else followers.wake(topic)
  }
  const listenUntilLost = Effect.gen(function* () {
    const notifications = yield* connect
    isOutageLogged = false
    // Notifications before this moment are lost.
    followers.wakeAll()
    return yield* Effect.forever(Effect.map(Queue.take(notifications), ({ payload }) => wake(payload)))
  })
  return Effect.scoped(listenUntilLost).pipe(
    Effect.catch(logOutage),
    Effect.repeat(Schedule.spaced(FIRST_RECONNECT)),
    Effect.asVoid
  )
}
