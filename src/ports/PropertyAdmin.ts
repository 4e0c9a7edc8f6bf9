import { Context, type Effect, Schema } from "effect"

export class PropertyAdminError extends Schema.TaggedError<PropertyAdminError>()("PropertyAdminError", {
  message: Schema.String
}) {}

/** What a rebuild of the registry changed. */
export interface RebuiltRegistry {
  readonly sites: number
  /** Properties and attributes that are registered now. */
  readonly registered: number
  /** Those that no stored event and no visitor has any more. */
  readonly removed: number
}

/** Maintains the registry of properties. */
export class PropertyAdmin extends Context.Service<
  PropertyAdmin,
  {
    /**
     * Counts the properties of all stored events and visitors in one scan, and replaces the registry: each site's most frequent ones are
     * kept. What administrators chose stays. Takes about as long as reading every property once.
     */
    readonly rebuild: Effect.Effect<RebuiltRegistry, PropertyAdminError>
  }
>()("footfall/ports/PropertyAdmin") {}
