import { Effect, Schema } from "effect"
import { type QueryEngine, QueryError } from "../../ports/QueryEngine.ts"
import type { QuestionEngines } from "../../ports/QuestionEngines.ts"

type Engine = QueryEngine["Service"]

/** No engine can answer now. `message` is a sentence for operators that says what to do. */
export class NoEngine extends Schema.TaggedError<NoEngine>()("NoEngine", { message: Schema.String }) {}

interface Usable {
  readonly engine: Engine
  /** Another one with the same data; null if there is none. */
  readonly fallback: Engine | null
}

/** The engine that answers now. */
export const usableEngine = (engines: QuestionEngines["Service"]): Effect.Effect<Usable, NoEngine> =>
  Effect.flatMap(engines.usable, ({ fallback, primary, why }) => {
    if (primary !== null) return Effect.succeed({ engine: primary, fallback })
    return fallback === null
      ? Effect.fail(new NoEngine({ message: why ?? "No engine can answer questions." }))
      : Effect.succeed({ engine: fallback, fallback: null })
  })

/** Asks the engine that answers now. A replica may stop between the choice and the answer: then its fallback is asked, once. */
export const onUsableEngine = <A, E, R>(
  engines: QuestionEngines["Service"],
  ask: (engine: Engine) => Effect.Effect<A, E | QueryError, R>
): Effect.Effect<A, E | QueryError | NoEngine, R> =>
  Effect.flatMap(usableEngine(engines), ({ engine, fallback }) =>
    fallback === null
      ? ask(engine)
      : Effect.catchIf(
          ask(engine),
          (error) => isUnavailable(error),
          () => ask(fallback)
        )
  )

const isUnavailable = (error: unknown): boolean => error instanceof QueryError && error.reason === "Unavailable"
