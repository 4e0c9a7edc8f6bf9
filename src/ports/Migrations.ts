import { Context, type Effect } from "effect"
import type { StartError } from "../domain/StartError.ts"

/** Migrations of the app database. */
export class Migrations extends Context.Service<
  Migrations,
  {
    /** Applies the pending migrations and returns the name of the latest one. */
    readonly apply: Effect.Effect<string, StartError>
  }
>()("footfall/ports/Migrations") {}
