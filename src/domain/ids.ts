import { Schema } from "effect"

/** RFC 9562 UUID as Umami's contract accepts it: versions 1 to 8, or all zeros, or all ones. */
export const UUID_PATTERN =
  /^(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|[fF]{8}-[fF]{4}-[fF]{4}-[fF]{4}-[fF]{12})$/

const Uuid = Schema.String.check(Schema.isPattern(UUID_PATTERN, { message: "Invalid UUID" }))

/** The id of a site, the same as the snippet's `data-website-id`; lower case. */
export const SiteId = Uuid.pipe(Schema.brand("SiteId"))
export type SiteId = typeof SiteId.Type

/** Umami's session: a visitor for one salt period (UUIDv5), or permanently if it has a distinct id. */
export const SessionId = Uuid.pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

/** A visit within a session (UUIDv5). */
export const VisitId = Uuid.pipe(Schema.brand("VisitId"))
export type VisitId = typeof VisitId.Type

/** UUIDv7 from the collector's clock. */
export const EventId = Uuid.pipe(Schema.brand("EventId"))
export type EventId = typeof EventId.Type
