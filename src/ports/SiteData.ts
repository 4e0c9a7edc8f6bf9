import { Context, type Effect, Schema } from "effect"
import type { SiteId } from "../domain/ids.ts"

/** What was deleted. */
export interface DeletedData {
  readonly events: number
  /** Visitors whose rows are gone. Those of the last day keep theirs for as long as their browsers may send the token they got. */
  readonly visitors: number
}

/**
 * - `Unsupported`: the storage cannot delete rows; `message` says what can.
 * - `Busy`: another process deletes a site's data now.
 * - `Unavailable`: the app database can't be reached. What was deleted before stays deleted; the call can be repeated.
 */
export class SiteDataError extends Schema.TaggedError<SiteDataError>()("SiteDataError", {
  reason: Schema.Literals(["Unsupported", "Busy", "Unavailable"]),
  message: Schema.String
}) {}

/** The stored events and visitors of a site. */
export class SiteData extends Context.Service<
  SiteData,
  {
    /** Deletes the site's events and visitors so far, month by month. The site stays, and events that arrive meanwhile may stay. */
    readonly reset: (
      id: SiteId,
      onProgress?: (deleted: DeletedData) => Effect.Effect<void>
    ) => Effect.Effect<DeletedData, SiteDataError>
    /** Deletes all of the data and the site itself. It must have been archived, so that no more events arrive. */
    readonly remove: (id: SiteId) => Effect.Effect<DeletedData, SiteDataError>
  }
>()("footfall/ports/SiteData") {}
