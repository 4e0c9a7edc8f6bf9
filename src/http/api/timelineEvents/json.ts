import { Schema } from "effect"
import { type TimelineEvent, TimelineIcon } from "../../../domain/content/TimelineEvent.ts"
import { can, type Principal } from "../../../domain/Principal.ts"
import { isUsual } from "../../../query/resolve/moments.ts"
import { EXAMPLE, Instant } from "../../shared/json/fields.ts"
import { Description, EXAMPLE_ID, ignored, nameOf, Revision } from "../content/json.ts"

/** In characters. */
const MAX_NAME = 255

const NAME = { examples: ["Spring campaign"] }
const Name = nameOf(MAX_NAME).annotate(NAME)
const SITE = { description: "Null: the note concerns all sites", examples: [EXAMPLE.siteId] }
const TimeMatters = Schema.Boolean.annotate({ description: "`false`: only the day matters" })

const fields = {
  id: Schema.String.annotate({ format: "uuid", examples: [EXAMPLE_ID] }),
  site_id: Schema.NullOr(Schema.String).annotate(SITE),
  timestamp: Instant,
  time_matters: TimeMatters,
  name: Schema.String.annotate(NAME),
  description: Schema.NullOr(Schema.String),
  icon: TimelineIcon,
  archived: Schema.Boolean.annotate({ examples: [false] }),
  revision: Revision,
  creator_id: Schema.NullOr(Schema.String),
  creator: Schema.Struct({ common_name: Schema.String.annotate({ examples: ["Ada Lovelace"] }) }),
  created_at: Instant,
  updated_at: Instant,
  can_write: Schema.Boolean
}

export const TimelineEventJson = Schema.Struct(fields).annotate({
  identifier: "TimelineEvent",
  description: "A note on the time axis."
})

/** A time with a zone, such as `2026-03-28T12:00:00Z`. */
export const Timestamp = Schema.String.check(
  Schema.isPattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/, {
    message: "Give a time with a zone, such as `2026-03-28T12:00:00Z`."
  }),
  Schema.makeFilter((text) => {
    const at = Date.parse(text)
    if (Number.isNaN(at)) return "There is no such time."
    const inUtc = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO("UTC")
    return isUsual(inUtc) || "The year must be from 1 to 9999, in UTC."
  })
).annotate({ format: "date-time", examples: ["2026-03-28T12:00:00Z"] })

const SiteId = Schema.NullOr(Schema.String).annotate(SITE)

export const TimelineEventCreateJson = Schema.Struct({
  name: Name,
  timestamp: Timestamp,
  site_id: Schema.optionalKey(SiteId),
  time_matters: Schema.optionalKey(TimeMatters),
  description: Schema.optionalKey(Description),
  icon: Schema.optionalKey(TimelineIcon)
}).annotate({ identifier: "TimelineEventCreate" })

export const TimelineEventUpdateJson = Schema.Struct({
  ...ignored("id", "creator_id", "creator", "created_at", "updated_at", "can_write"),
  name: Schema.optionalKey(Name),
  timestamp: Schema.optionalKey(Timestamp),
  site_id: Schema.optionalKey(SiteId),
  time_matters: Schema.optionalKey(TimeMatters),
  description: Schema.optionalKey(Description),
  icon: Schema.optionalKey(TimelineIcon),
  archived: Schema.optionalKey(Schema.Boolean),
  revision: Schema.optionalKey(Revision)
}).annotate({ identifier: "TimelineEventUpdate", description: "Absent keys keep their values." })

export const timelineEventJson = (event: TimelineEvent, principal: Principal): typeof TimelineEventJson.Type => ({
  id: event.id,
  site_id: event.site,
  timestamp: event.at.toISOString(),
  time_matters: event.timeMatters,
  name: event.name,
  description: event.description,
  icon: event.icon,
  archived: event.isArchived,
  revision: event.revision,
  creator_id: event.author.id,
  creator: { common_name: event.author.name },
  created_at: event.createdAt.toISOString(),
  updated_at: event.updatedAt.toISOString(),
  can_write: can(principal, "update", { type: "timeline-events" }) && mayChangeFor(principal, event.site)
})

/** A note for all sites concerns also those that a limited principal may not see. */
export const mayChangeFor = (principal: Principal, site: string | null): boolean =>
  site === null ? principal.siteLimit === null : principal.seesSite(site)
