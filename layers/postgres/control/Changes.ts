import { PgConnection } from "@effect/sql-pg"
import { Context, Effect, Exit, Layer, Queue, Random, Scope } from "effect"
import { AppDatabase } from "../client/Database.ts"
import { CONTROL_DEADLINE, statementFailure } from "../client/runStatement.ts"

/** What may change under a running process: each is a small table, and the payload of its notifications. */
const TOPICS = ["sites", "settings", "keys"] as const
export type Topic = (typeof TOPICS)[number]

/** The channel that the tables' triggers notify. */
const CHANNEL = "footfall_changes"

/** Between two looks at the tables, chosen anew each time so that many processes do not ask together. */
const POLL_MS = { minimum: 2_000, maximum: 3_500 }
/** Between two attempts to listen: doubled from the first to the second figure. */
const RECONNECT_MS = { first: 250, most: 5_000 }
/** A listener that the network forgot is noticed by probes after this much silence; the poll is what keeps the promise. */
const LISTENER_KEEP_ALIVE = "10 seconds"

/**
 * Tells when sites, settings or keys were changed by any process: within milliseconds by LISTEN, and within 4 s by a poll
 * behind it. While the database is away nothing is told; when it is back, everything counts as changed.
 */
export class Changes extends Context.Service<
  Changes,
  {
    /**
     * Runs `reload` each time that the topic may have changed, one run at a time, until the scope closes. A run that fails is
     * repeated at the next look.
     */
    readonly follow: (
      topic: Topic,
      reload: Effect.Effect<void, { readonly message: string }>
    ) => Effect.Effect<void, never, Scope.Scope>
  }
>()("footfall/postgres/Changes") {}

interface Follower {
  readonly topic: Topic
  readonly wake: Queue.Queue<void>
  stale: boolean
}

// A row's xmin is the transaction that wrote it, so the sum changes with every insert and update, the count with deletes.
const FINGERPRINTS = `SELECT
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_site) AS sites,
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_setting) AS settings,
  (SELECT count(*) || ':' || coalesce(sum(xmin::text::bigint), 0) FROM product_analytics_key) AS keys`

export const layer: Layer.Layer<Changes, never, AppDatabase> = Layer.effect(
  Changes,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const followers = new Set<Follower>()
    const tell = (topic?: Topic) => {
      for (const follower of followers) {
        if (topic === undefined || follower.topic === topic) Queue.offerUnsafe(follower.wake, undefined)
      }
    }

    let failures = 0
    const listen = Effect.gen(function* () {
      // Closed after its connection: the other way round it would wait for a server that hangs to answer UNLISTEN.
      const listening = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
      const connect = PgConnection.make({
        ...sql.config,
        applicationName: "footfall-changes",
        keepAlive: LISTENER_KEEP_ALIVE
      })
      const notifications = yield* connect.pipe(
        Effect.flatMap((connection) => Scope.provide(connection.listen(CHANNEL), listening)),
        Effect.timeout(CONTROL_DEADLINE)
      )
      failures = 0
      // Whatever was notified while nobody listened.
      tell()
      return yield* Queue.take(notifications).pipe(
        Effect.map(({ payload }) => tell(TOPICS.find((topic) => topic === payload))),
        Effect.forever
      )
    }).pipe(
      Effect.scoped,
      Effect.catch((error) =>
        failures++ === 0
          ? Effect.logWarning(
              `Not listening for changes, looking every few seconds instead: ${statementFailure(error)}.`
            )
          : Effect.void
      ),
      Effect.andThen(
        Effect.suspend(() => Effect.sleep(Math.min(RECONNECT_MS.most, RECONNECT_MS.first * 2 ** failures)))
      ),
      Effect.forever
    )

    let known: Partial<Record<Topic, string>> = {}
    let away = false
    const look = sql.unsafe<Record<Topic, string>>(FINGERPRINTS).pipe(
      Effect.timeout(CONTROL_DEADLINE),
      Effect.matchEffect({
        onFailure: (error) => {
          if (away) return Effect.void
          away = true
          return Effect.logWarning(
            `The app database does not answer (${statementFailure(error)}); going on with the sites and settings known.`
          )
        },
        onSuccess: ([now]) => {
          for (const topic of TOPICS) if (now?.[topic] !== known[topic]) tell(topic)
          for (const follower of followers) if (follower.stale) Queue.offerUnsafe(follower.wake, undefined)
          known = now ?? {}
          if (!away) return Effect.void
          away = false
          return Effect.logInfo("The app database answers again.")
        }
      })
    )
    const poll = Random.nextIntBetween(POLL_MS.minimum, POLL_MS.maximum).pipe(
      Effect.flatMap(Effect.sleep),
      Effect.andThen(look),
      Effect.forever
    )
    yield* Effect.forkScoped(listen)
    yield* Effect.forkScoped(poll)

    return Changes.of({
      follow: Effect.fnUntraced(function* (topic, reload) {
        const follower: Follower = { topic, wake: yield* Queue.sliding<void>(1), stale: false }
        yield* Effect.acquireRelease(
          Effect.sync(() => followers.add(follower)),
          () => Effect.sync(() => followers.delete(follower))
        )
        yield* Queue.take(follower.wake).pipe(
          Effect.andThen(reload),
          Effect.matchEffect({
            onSuccess: () =>
              Effect.sync(() => {
                follower.stale = false
              }),
            onFailure: ({ message }) => {
              if (follower.stale) return Effect.void
              follower.stale = true
              return Effect.logWarning(`Changed ${topic} could not be read: ${message}`)
            }
          }),
          Effect.forever,
          Effect.forkScoped
        )
      })
    })
  })
)
