import { Context, Effect, Layer, type Scope } from "effect"
import { AppDatabase } from "../client/Database.ts"
import { Followers, type Reload } from "./changes/Followers.ts"
import { listen } from "./changes/listen.ts"
import { poll } from "./changes/poll.ts"
import type { Topic } from "./changes/topics.ts"

/**
 * Reports that sites, settings or keys have changed in any process: within milliseconds by LISTEN, and within 4 s by polling if
 * notifications do not arrive. Nothing is reported while the database is unreachable; the first answer after that reports everything
 * that changed meanwhile.
 */
export class Changes extends Context.Service<
  Changes,
  {
    /**
     * Runs `reload` each time the topic may have changed, one run at a time, until the scope closes. A failed run is logged and
     * repeated at the next poll.
     */
    readonly follow: (topic: Topic, reload: Reload) => Effect.Effect<void, never, Scope.Scope>
  }
>()("footfall/postgres/Changes") {}

export const layer: Layer.Layer<Changes, never, AppDatabase> = Layer.effect(
  Changes,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const followers = new Followers()
    yield* Effect.forkScoped(listen(sql, followers))
    yield* Effect.forkScoped(poll(sql, followers))
    return Changes.of({ follow: (topic, reload) => followers.add(topic, reload) })
  })
)
