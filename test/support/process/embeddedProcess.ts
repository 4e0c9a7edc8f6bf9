import { runMain } from "@effect/platform-node-shared/NodeRuntime"
import { Effect, Redacted, References } from "effect"
import { startEmbeddedPostgres } from "../../../layers/postgres/embedded/EmbeddedPostgres.ts"

/** A process that uses the embedded Postgres of a folder, its only argument, until SIGTERM. */
runMain(
  Effect.gen(function* () {
    const { pid, url } = yield* startEmbeddedPostgres(process.argv[2]!)
    console.log(`uses ${pid()} at ${Redacted.value(url)}`)
    return yield* Effect.never
  }).pipe(
    Effect.scoped,
    Effect.catchTag("StartError", ({ message }) => Effect.sync(() => console.log(`refused: ${message} (end)`))),
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
)
