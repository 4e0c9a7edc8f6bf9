import { Effect, Random } from "effect"
import type { SqlClient } from "effect/sql"
import { assertWritable } from "../../client/assertWritable.ts"
import { CONTROL_DEADLINE, statementFailure } from "../../client/runStatement.ts"
import type { Followers } from "./Followers.ts"
import { TOPICS, type Topic } from "./topics.ts"

/** The time between two polls, chosen at random each time so that many processes do not poll at once. */
const INTERVAL_MS = { minimum: 2_000, maximum: 3_500 }

// A row's xmin is the transaction that wrote it, so the sum changes with every insert and update, and the count with deletes. What is too
// much to add up has a row of its own that its triggers update. Of people, only what the groups may do: what is cached of a user expires.
const FINGERPRINTS = `SELECT
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_site) AS sites,
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_setting) AS settings,
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_key) AS keys,
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_group)
    || ' ' || (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_collection_permission) AS people,
  (SELECT xmin::text FROM product_analytics_metadata_revision) AS metadata`

/** Wakes followers whose table has changed since the last poll. Polls forever; an outage is logged once, as is its end. */
export const poll = (sql: SqlClient.SqlClient, followers: Followers): Effect.Effect<never> => {
  let fingerprints: Partial<Record<Topic, string>> = {}
  let isUnreachable = false
  const pollOnce = assertWritable(sql).pipe(
    Effect.andThen(sql.unsafe<Record<Topic, string>>(FINGERPRINTS)),
    Effect.timeout(CONTROL_DEADLINE),
    Effect.matchEffect({
      onFailure: (error) => {
        if (isUnreachable) return Effect.void
        isUnreachable = true
        return Effect.logWarning(
          `The app database does not answer (${statementFailure(error)}); continuing with cached sites and settings.`
        )
      },
      onSuccess: ([current]) => {
        for (const topic of TOPICS) if (current?.[topic] !== fingerprints[topic]) followers.wake(topic)
        followers.wakeStale()
        fingerprints = current ?? {}
        if (!isUnreachable) return Effect.void
        isUnreachable = false
        return Effect.logInfo("The app database answers again.")
      }
    })
  )
  return Random.nextIntBetween(INTERVAL_MS.minimum, INTERVAL_MS.maximum).pipe(
    Effect.flatMap(Effect.sleep),
    Effect.andThen(pollOnce),
    Effect.forever
  )
}
