import { Context, type Effect, Schema } from "effect"
import type { SiteId } from "../domain/ids.ts"

/** What was deleted. */
export interface DeletedData {
  readonly events: number
  /** Visitors whose rows are gone. */
  readonly visitors: number
}

export interface ResetData extends DeletedData {
  /**
   * Visitors of the last day, whose browsers may still send the token they got. Their rows stay, without attributes, distinct id and first
   * page and source: only with device, language and location, which their next events come without.
   */
  readonly keptVisitors: number
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
    /**
     * Deletes the site's events, attributes and visitors so far, the events month by month. The site stays, and events that arrive
     * meanwhile may stay.
     */
    readonly reset: (
      id: SiteId,
      onProgress?: (deleted: DeletedData) => Effect.Effect<void>
    ) => Effect.Effect<ResetData, SiteDataError>
    /** Deletes all of the data and the site itself. It must have been archived, so that no more events arrive. */
    readonly remove: (id: SiteId) => Effect.Effect<DeletedData, SiteDataError>
  }
>()("footfall/ports/SiteData") {}
