import type { SiteId } from "../../domain/ids.ts"
import type { PropertyType } from "../../domain/propertyType.ts"
import { ANY_EVENT, type RegisteredProperty, UNNAMED_EVENT } from "../../ports/Properties.ts"
import type { Clause } from "../fql/schema.ts"
import type { Field } from "./fieldIds.ts"
import type { MeasuredType } from "./stats.ts"
import type { BaseType, View, ViewColumn, ViewName } from "./views.ts"

/** How many of the newest rows are read: as many as Metabase reads. */
export const SAMPLE_ROWS = 10_000

/** The views whose columns are scanned. The others have one row per site, or what the registry of properties knows. */
const SCANNED_VIEWS: ReadonlySet<ViewName> = new Set(["v_pa_events", "v_pa_sessions", "v_pa_visits"])

/** Whether a column's values are worth knowing: ids are not. */
const isScanned = (view: View, { semantic, type }: ViewColumn): boolean =>
  SCANNED_VIEWS.has(view.name) && type !== "uuid" && semantic !== "PK" && semantic !== "FK"

export const isScannedField = (field: Field): boolean =>
  field.kind === "property" || isScanned(field.view, field.column)

/** The rows that a field is scanned in: of a view, or of an event with a name. */
export const scanSource = (field: Field): ViewName =>
  field.kind === "column" ? field.view.name : field.property.owner === "event" ? "v_pa_events" : "v_pa_sessions"

const MEASURED: Readonly<Record<BaseType | PropertyType, MeasuredType>> = {
  text: "text",
  uuid: "other",
  integer: "number",
  decimal: "number",
  number: "number",
  boolean: "other",
  instant: "time",
  date: "time"
}

export const measuredType = (field: Field): MeasuredType =>
  MEASURED[field.kind === "column" ? field.column.type : field.property.type]

/** The clause of FQL that names a field of its scan's source, read as this type. */
export const fieldClause = (field: Field, type?: PropertyType): Clause => {
  if (field.kind === "column") return ["field", field.column.name]
  const { event, key, owner, type: own } = field.property
  const read = { type: type ?? own }
  if (owner === "visitor") return ["attr", key, read]
  return ["prop", key, event === ANY_EVENT || event === UNNAMED_EVENT ? read : { ...read, event }]
}

/** The conditions that a property's rows meet in addition to the site. */
export const eventConditions = ({ property }: Extract<Field, { readonly kind: "property" }>): ReadonlyArray<Clause> => {
  const { event, owner } = property
  if (owner === "visitor") return []
  // Of all events, most lack the key: those that have it are the sample.
  if (event === ANY_EVENT) return [["not-null", ["prop", property.key, { type: "text" }]]]
  return [event === UNNAMED_EVENT ? ["is-null", "event_name"] : ["=", "event_name", event]]
}

const DAY_MS = 86_400_000
const MAX_SPAN_MS = 90 * DAY_MS
const MIN_SPAN_MS = 3_600_000

/** A range of time as instants. */
export interface ScanRange {
  readonly from: string | null
  readonly until: string | null
}

/** The time in which a property had about as many values as a sample has, by how often it occurs. `patience`: 1, or less after timeouts. */
export const propertyRange = ({ counts, firstSeen, lastSeen }: RegisteredProperty, patience: number): ScanRange => {
  const values = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const lifetime = lastSeen.getTime() - firstSeen.getTime()
  const span = values <= SAMPLE_ROWS ? MAX_SPAN_MS : (lifetime * SAMPLE_ROWS) / values
  const from = lastSeen.getTime() - Math.max(Math.min(span, MAX_SPAN_MS) * patience, MIN_SPAN_MS)
  return { from: new Date(from).toISOString(), until: null }
}

const within = (view: View, { from, until }: ScanRange): ReadonlyArray<Clause> =>
  view.time === null
    ? []
    : [
        ...(from === null ? [] : [[">=", view.time, from] as Clause]),
        ...(until === null ? [] : [["<=", view.time, until] as Clause])
      ]

const query = (source: ViewName, parts: object) => ({ fql: 1, type: "query", source, ...parts })

/** The time of the oldest of a view's newest rows on a site: a row if there are that many. */
export const boundaryQuestion = (view: View, site: SiteId): object =>
  query(view.name, {
    filter: ["=", view.site, site],
    fields: [["field", view.time!]],
    "order-by": [["desc", ["field", view.time!]]],
    page: { page: SAMPLE_ROWS, items: 1 }
  })

/** A row if the site has one that is newer. */
export const newerRowQuestion = (site: SiteId, since: string): object =>
  query("v_pa_events", {
    filter: ["and", ["=", "site_id", site], [">", "created_at", since]],
    fields: [["field", "created_at"]],
    limit: 1
  })

/** The values of a field in a range, with how many rows have each; the most frequent first. */
export const valuesQuestion = (field: Field, view: View, site: SiteId, range: ScanRange): object =>
  query(view.name, {
    filter: [
      "and",
      ["=", view.site, site],
      ...within(view, range),
      ...(field.kind === "property" ? eventConditions(field) : [])
    ],
    aggregation: [["count"]],
    breakout: [fieldClause(field)],
    "order-by": [["desc", ["aggregation", 0]]],
    limit: SAMPLE_ROWS
  })
