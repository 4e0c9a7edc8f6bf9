import { Layer } from "effect"
import type { Collections } from "../../../ports/Collections.ts"
import type { Content } from "../../../ports/Content.ts"
import type { ContentLinks } from "../../../ports/ContentLinks.ts"
import type { LinkLimits } from "../../../ports/LinkLimits.ts"
import type { TimelineEvents } from "../../../ports/TimelineEvents.ts"
import { CardsHandlers } from "../cards/handlers.ts"
import { CollectionsHandlers } from "../collections/handlers.ts"
import { DashboardsHandlers } from "../dashboards/handlers.ts"
import { CohortsHandlers, SegmentsHandlers } from "../filters/handlers.ts"
import { LinksHandlers } from "../links/handlers.ts"
import { RevisionsHandlers } from "../revisions/handlers.ts"
import { SearchHandlers } from "../search/handlers.ts"
import { EmbedHandlers, PublicHandlers } from "../shared/handlers.ts"
import { TimelineEventsHandlers } from "../timelineEvents/handlers.ts"
import { XrayHandlers } from "../xray/handlers.ts"

/** What people save and share. */
export type ContentServices = Content | Collections | ContentLinks | LinkLimits | TimelineEvents

/** The resources that people save, and how they share them. */
export const contentHandlers = Layer.mergeAll(
  CardsHandlers,
  CohortsHandlers,
  CollectionsHandlers,
  DashboardsHandlers,
  EmbedHandlers,
  LinksHandlers,
  PublicHandlers,
  RevisionsHandlers,
  SearchHandlers,
  SegmentsHandlers,
  TimelineEventsHandlers,
  XrayHandlers
)
