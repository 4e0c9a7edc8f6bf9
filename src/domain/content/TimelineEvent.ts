import { Schema } from "effect"
import { SiteId } from "../ids.ts"
import { Author } from "./Item.ts"

/** Icons of notes, under Metabase's names. */
export const TIMELINE_ICONS = ["star", "cake", "mail", "warning", "bell", "cloud"] as const
export const TimelineIcon = Schema.Literals(TIMELINE_ICONS)
export type TimelineIcon = typeof TimelineIcon.Type

/** A note on the time axis, such as a release or a campaign. */
export const TimelineEvent = Schema.Struct({
  id: Schema.String,
  /** Null: it concerns all sites. */
  site: Schema.NullOr(SiteId),
  at: Schema.Date,
  /** False: only the day matters. */
  timeMatters: Schema.Boolean,
  name: Schema.String,
  description: Schema.NullOr(Schema.String),
  icon: TimelineIcon,
  isArchived: Schema.Boolean,
  /** From 1, increased by each change. */
  revision: Schema.Int,
  author: Author,
  createdAt: Schema.Date,
  updatedAt: Schema.Date
})
export type TimelineEvent = typeof TimelineEvent.Type
