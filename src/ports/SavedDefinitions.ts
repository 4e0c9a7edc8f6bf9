import { Context, type Effect, Schema } from "effect"
import type { Principal } from "../domain/Principal.ts"

/** Saved questions and filters in FQL/1 by their ids in lower case, as they were saved. */
export interface Definitions {
  readonly cards: ReadonlyMap<string, unknown>
  readonly segments: ReadonlyMap<string, unknown>
  readonly cohorts: ReadonlyMap<string, unknown>
  /** Ids of those that are in the trash. */
  readonly trashed: ReadonlySet<string>
}

/**
 * - `TooMany`: the question and what it is built on refer to more, or in more levels, than can be looked up; `message` says
 *   how many are accepted.
 * - `Unavailable`: the app database can't be reached.
 */
export class SavedDefinitionsError extends Schema.TaggedError<SavedDefinitionsError>()("SavedDefinitionsError", {
  reason: Schema.Literals(["TooMany", "Unavailable"]),
  message: Schema.String
}) {}

/** Looks up the saved questions, segments and cohorts that a question is built on. */
export class SavedDefinitions extends Context.Service<
  SavedDefinitions,
  {
    /**
     * Everything that the question refers to, directly or through what it refers to. What does not exist or may not be read by the
     * principal is left out, so that both look the same. Of what is in the trash, only the ids are returned.
     */
    readonly load: (principal: Principal, json: unknown) => Effect.Effect<Definitions, SavedDefinitionsError>
  }
>()("footfall/ports/SavedDefinitions") {}
