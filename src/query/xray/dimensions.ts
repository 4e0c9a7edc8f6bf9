import type { Clause } from "../fql/schema.ts"
import type { TableRecord } from "../metadata/Catalog.ts"
import type { FieldRecord } from "../metadata/fieldRecord.ts"
import { scanSource } from "../metadata/scanQuestion.ts"
import type { View } from "../metadata/views.ts"

/** What a field is good for in an x-ray. `low`, `category` and `large`: a category with at most 5, at most 10, and more values. */
export type DimensionClass =
  | "timestamp"
  | "low"
  | "category"
  | "large"
  | "country"
  | "state"
  | "city"
  | "url"
  | "number"
  | "name"

/** A field that an x-ray may group by or measure. */
export interface XrayDimension {
  readonly field: FieldRecord
  readonly title: string
  readonly class: DimensionClass
  /** 0 to 100: how much a card about it counts. */
  readonly score: number
  /** The clause that names it in a question about the x-ray's view. */
  readonly clause: Clause
  readonly isText: boolean
  /** The most frequent values of a text, the most frequent first. */
  readonly top: ReadonlyArray<string>
}

/** Metabase's thresholds. */
const LOW_VALUES = 5
const CATEGORY_VALUES = 10
/** A field that is empty more often says little about the rows. */
const MAX_NULLS = 0.95

const SCORES: Readonly<Record<DimensionClass, number>> = {
  timestamp: 90,
  low: 50,
  category: 75,
  large: 70,
  country: 95,
  state: 85,
  city: 80,
  url: 90,
  number: 80,
  name: 60
}
/** The time at which a row was recorded is the one that matters. */
const CREATION_SCORE = 100

/** Fields of a visitor that describe the visitor's events and visits, too. */
const OF_VISITORS: ReadonlySet<string> = new Set([
  "browser",
  "os",
  "device",
  "screen",
  "language",
  "country",
  "subdivision1",
  "city"
])

const categoryOf = (distinct: number | null): DimensionClass => {
  if (distinct === null || distinct > CATEGORY_VALUES) return "large"
  return distinct <= LOW_VALUES ? "low" : "category"
}

/** What a field is good for; null if for nothing, such as an id or a long text. */
export const classOf = ({ fingerprint, remapping, semanticType, type }: FieldRecord): DimensionClass | null => {
  if (semanticType === "PK" || semanticType === "FK" || type === "uuid") return null
  if (type === "instant" || type === "date") return "timestamp"
  const category = categoryOf(fingerprint?.global["distinct-count"] ?? null)
  if (type === "boolean") return "low"
  if (type === "integer" || type === "decimal" || type === "number") {
    return remapping === null && semanticType !== "Category" ? "number" : category
  }
  if (type !== "text") return null
  switch (semanticType) {
    case "Country":
      return "country"
    case "State":
      return "state"
    case "City":
      return "city"
    case "URL":
      return "url"
    case "Name":
    case "Title":
      return "name"
    case "Category":
    case "Source":
    case "Company":
    case "Product":
    case "Currency":
      return category
    default:
      return null
  }
}

/** Whether a field says something about the rows: it is offered, has several values, and is not nearly always empty. */
export const isTelling = ({ fingerprint, visibility }: FieldRecord): boolean => {
  if (visibility !== "normal") return false
  if (fingerprint === null) return true
  const nulls = fingerprint.global["nil%"] ?? 0
  return fingerprint.global["distinct-count"] > 1 && nulls <= MAX_NULLS
}

const topOf = ({ fingerprint, type }: FieldRecord): ReadonlyArray<string> =>
  type === "text" ? (fingerprint?.top ?? []).flatMap(({ value }) => (typeof value === "string" ? [value] : [])) : []

/** A field as a dimension, named by this clause; null if an x-ray does not use it. */
export const dimensionOf = (field: FieldRecord, clause: Clause): XrayDimension | null => {
  const found = classOf(field)
  if (found === null) return null
  return {
    field,
    title: field.displayName,
    class: found,
    score: field.semanticType === "CreationTimestamp" ? CREATION_SCORE : SCORES[found],
    clause,
    isText: field.type === "text",
    top: topOf(field)
  }
}

/** How a question about the view names a field; null if it can't. */
export const clauseIn = (view: View, field: FieldRecord, table: string): Clause | null => {
  if (field.property !== null) {
    const isOwn = field.source === "property" ? view.name === "v_pa_events" : hasVisitor(view) || isVisitors(view)
    return isOwn ? (field.clause as Clause) : null
  }
  if (table === view.name) return ["field", field.name]
  if (table !== "v_pa_sessions") return null
  // A visit has its visitor's country, device and so on as columns of its own.
  if (view.columns.some(({ name }) => name === field.name)) return ["field", field.name]
  return hasVisitor(view) ? ["field", field.name, { "source-field": "session_id" }] : null
}

const isVisitors = (view: View): boolean => view.name === "v_pa_sessions"
const hasVisitor = (view: View): boolean => view.columns.some(({ references }) => references === "v_pa_sessions")

/** The view that a field's values are in. */
export const viewOfField = (field: FieldRecord, tables: ReadonlyArray<TableRecord>): string => {
  if (field.property !== null) return scanSource({ kind: "property", id: field.id, property: field.property })
  return tables.find(({ id }) => id === field.tableId)!.view.name
}

/** Whether a property describes the rows, such as those of an event with a name. */
export type PropertyFilter = (field: FieldRecord) => boolean

/** The dimensions of a view's rows, the best ones first; those of equal score in the view's order, and those of visitors last. */
export const dimensionsOf = (
  view: View,
  tables: ReadonlyArray<TableRecord>,
  hasProperty: PropertyFilter
): ReadonlyArray<XrayDimension> => {
  const own = tables.find((table) => table.view.name === view.name)?.fields ?? []
  const names = new Set(view.columns.map(({ name }) => name))
  const linked = hasVisitor(view)
    ? (tables.find((table) => isVisitors(table.view))?.fields ?? []).filter(
        ({ name, property }) => property === null && OF_VISITORS.has(name) && !names.has(name)
      )
    : []
  const telling = [...own.filter((field) => field.property === null || hasProperty(field)), ...linked].filter(isTelling)
  return telling
    .flatMap((field) => {
      const clause = clauseIn(view, field, viewOfField(field, tables))
      const dimension = clause === null ? null : dimensionOf(field, clause)
      return dimension === null ? [] : [dimension]
    })
    .toSorted((a, b) => b.score - a.score)
}

const CATEGORIES: ReadonlySet<DimensionClass> = new Set(["low", "category", "large"])

export const isCategory = ({ class: found }: XrayDimension): boolean => CATEGORIES.has(found)

/** Whether rows can be grouped by the dimension's values themselves. */
export const isGrouping = ({ class: found }: XrayDimension): boolean => found !== "timestamp" && found !== "number"
