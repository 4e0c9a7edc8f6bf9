import { Context, type Effect } from "effect"
import type { QueryEngine } from "./QueryEngine.ts"

type Engine = QueryEngine["Service"]

/** The engines that can answer a question now. SQL is compiled for one of them, by its `dialect` and `model`. */
export interface UsableEngines {
  /** The one that `WAREHOUSE` names; null while it cannot answer, such as a replica that is being rebuilt. */
  readonly primary: Engine | null
  /** One with the same data that answers instead, more slowly: the app database behind a replica. Null if there is none. */
  readonly fallback: Engine | null
  /** Why there is no primary engine, as a sentence for operators; null if there is one. */
  readonly why: string | null
}

/** Chooses the engine for each question, since a replica may come and go. */
export class QuestionEngines extends Context.Service<
  QuestionEngines,
  {
    /** Asked before each question. */
    readonly usable: Effect.Effect<UsableEngines>
  }
>()("footfall/ports/QuestionEngines") {}
