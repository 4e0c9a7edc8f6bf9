import { labelsWith } from "../../../src/query/metadata/labels.ts"
import type { QuestionContext } from "../../../src/query/plan/context.ts"
import { QUESTION_SITES } from "./events.ts"

/** What the tests' questions mean: asked on 10 April 2026 of the fixture's sites, where nothing is saved or registered, unless given. */
export const questionContext = (fields: Partial<QuestionContext> = {}): QuestionContext => ({
  now: Temporal.Instant.from("2026-04-10T12:00:00Z"),
  sites: QUESTION_SITES,
  isLimited: false,
  timezone: "UTC",
  weekStart: "monday",
  propertyType: () => null,
  attributeType: () => null,
  propertyKeys: () => [],
  attributeKeys: () => [],
  isPropertyDeclared: () => false,
  isAttributeDeclared: () => false,
  labels: labelsWith(() => ({})),
  title: () => null,
  hidden: null,
  cards: new Map(),
  segments: new Map(),
  trashed: new Set(),
  cohorts: new Map(),
  comparing: null,
  ...fields
})
