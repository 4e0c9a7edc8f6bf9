import type { Site } from "../../domain/Site.ts"
import type { Properties } from "../../ports/Properties.ts"
import type { Settings } from "../../ports/Settings.ts"
import { INSTANCE_TIMEZONE, INSTANCE_WEEK_START } from "../../settings/settings.ts"
import { labelsWith } from "../metadata/labels.ts"
import type { QuestionContext } from "./context.ts"

type PropertyTypes = Pick<
  QuestionContext,
  "attributeKeys" | "attributeType" | "isAttributeDeclared" | "isPropertyDeclared" | "propertyKeys" | "propertyType"
>

/** What a question means depends on, along with the sites. */
interface Circumstances {
  readonly properties: Pick<Properties["Service"], keyof PropertyTypes>
  readonly settings: Pick<Settings["Service"], "get">
  readonly now: Temporal.Instant
}

/** What a question may refer to when an operator asks it: every site, and nothing that is saved. */
export const contextOf = (
  sites: ReadonlyArray<Site>,
  { now, properties, settings }: Circumstances
): QuestionContext => ({
  now,
  sites: sites.map((site) => ({
    id: site.id,
    name: site.name,
    timezone: site.timezone,
    weekStart: site.weekStart,
    currency: site.currency,
    definitions: site.definitions,
    domains: site.domains,
    archived: site.archived,
    createdAt: site.createdAt.toISOString(),
    updatedAt: site.updatedAt.toISOString()
  })),
  isLimited: false,
  timezone: settings.get(INSTANCE_TIMEZONE),
  weekStart: settings.get(INSTANCE_WEEK_START),
  propertyType: properties.propertyType,
  attributeType: properties.attributeType,
  propertyKeys: properties.propertyKeys,
  attributeKeys: properties.attributeKeys,
  isPropertyDeclared: properties.isPropertyDeclared,
  isAttributeDeclared: properties.isAttributeDeclared,
  labels: labelsWith(() => ({})),
  title: () => null,
  hidden: null,
  cards: new Map(),
  segments: new Map(),
  cohorts: new Map(),
  trashed: new Set(),
  comparing: null
})
