import { Context, type Effect, Schema } from "effect"
import type { Author } from "../domain/content/Item.ts"
import type { TimelineEvent, TimelineIcon } from "../domain/content/TimelineEvent.ts"
import type { SiteId } from "../domain/ids.ts"

export interface TimelineEventValues {
  readonly site: SiteId | null
  readonly at: Date
  readonly timeMatters: boolean
  readonly name: string
  readonly description: string | null
  readonly icon: TimelineIcon
}

/** A change of a note: absent keys keep their values. */
export interface TimelineEventChange extends Partial<TimelineEventValues> {
  readonly archived?: boolean
  /** The revision that the change is based on. If there is a newer one, the change is a `Conflict`. */
  readonly revision?: number
}

export interface TimelineCriteria {
  /** Those of these sites, and those of all sites; null: of any site. */
  readonly sites: ReadonlyArray<SiteId> | null
  /** From this time on; null: from the first. */
  readonly from: Date | null
  /** Up to, but not including, this time; null: to the last. */
  readonly until: Date | null
  readonly archived: boolean
}

/**
 * - `NotFound`: there is no such note.
 * - `Invalid`: a value is not possible, such as an unknown site.
 * - `Conflict`: there is a newer revision.
 * - `Full`: there are as many as there may be.
 * - `Unavailable`: the app database can't be reached.
 */
export class TimelineEventsError extends Schema.TaggedError<TimelineEventsError>()("TimelineEventsError", {
  reason: Schema.Literals(["NotFound", "Invalid", "Conflict", "Full", "Unavailable"]),
  message: Schema.String
}) {}

/** Notes on the time axis. Permissions are checked by the caller. */
export class TimelineEvents extends Context.Service<
  TimelineEvents,
  {
    /** In the order of their times. There are at most 10,000. */
    readonly list: (criteria: TimelineCriteria) => Effect.Effect<ReadonlyArray<TimelineEvent>, TimelineEventsError>
    readonly get: (id: string) => Effect.Effect<TimelineEvent, TimelineEventsError>
    readonly create: (values: TimelineEventValues, author: Author) => Effect.Effect<TimelineEvent, TimelineEventsError>
    readonly update: (id: string, change: TimelineEventChange) => Effect.Effect<TimelineEvent, TimelineEventsError>
    /** Deletes a note for good. */
    readonly remove: (id: string) => Effect.Effect<void, TimelineEventsError>
  }
>()("footfall/ports/TimelineEvents") {}
