import { Clock, Duration, Effect, type Scope } from "effect"
import { Storage, type StorageStatus } from "../../ports/Storage.ts"
import type { CollectCounters } from "./metrics.ts"

const CHECK_INTERVAL = Duration.seconds(1)
/** How often the log repeats that events are still not stored. */
const REPEAT_MS = 60_000

interface Outage {
  readonly since: number
  /** Rejections before it. */
  readonly rejectedBefore: number
  loggedAt: number
}

const seconds = (from: number, to: number): string => `${Math.max(1, Math.round((to - from) / 1_000))} s`

const events = (count: number): string => `${count} ${count === 1 ? "event was" : "events were"} rejected with 503`

const reasonOf = ({ lastError, ready }: StorageStatus): string =>
  lastError ?? (ready ? "too many records were waiting." : "the storage does not accept records.")

/**
 * Logs when events can no longer be stored, once a minute while they cannot, and when they are stored again, with how many were rejected
 * meanwhile. It asks the storage for its status, so it costs a stored event nothing.
 */
export const logOutages = Effect.fnUntraced(function* (
  counters: CollectCounters
): Effect.fn.Return<void, never, Storage | Scope.Scope> {
  const storage = yield* Storage
  let outage: Outage | null = null
  let seen = counters.unstored

  const check = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const status = yield* storage.status
    const before = seen
    seen = counters.unstored
    const failing = !status.ready || seen > before
    if (outage === null) {
      if (!failing) return
      outage = { since: now, rejectedBefore: before, loggedAt: now }
      return yield* Effect.logWarning(`Events can't be stored; clients get 503 until they can: ${reasonOf(status)}`)
    }
    const rejected = events(seen - outage.rejectedBefore)
    if (!failing && (status.lastSuccessAt ?? 0) >= outage.since) {
      const { since } = outage
      outage = null
      return yield* Effect.logInfo(`Events are stored again, after ${seconds(since, now)}; ${rejected} meanwhile.`)
    }
    if (!failing || now - outage.loggedAt < REPEAT_MS) return
    outage.loggedAt = now
    yield* Effect.logWarning(
      `Events still can't be stored, for ${seconds(outage.since, now)}; ${rejected} so far: ${reasonOf(status)}`
    )
  })
  yield* Effect.sleep(CHECK_INTERVAL).pipe(Effect.andThen(check), Effect.forever, Effect.forkScoped)
})
