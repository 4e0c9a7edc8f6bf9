import type { Dashcard, ParameterMapping } from "../../domain/content/Dashboard.ts"
import { GRID_COLUMNS } from "../../domain/content/Dashboard.ts"
import type { DashboardParameter } from "../../domain/content/Parameter.ts"
import type { Query } from "../fql/schema.ts"
import type { TableRecord } from "../metadata/Catalog.ts"
import { findView, type View } from "../metadata/views.ts"
import { GROUPS, type Group, type XrayCard } from "./cards.ts"
import { clauseIn, isCategory, viewOfField, type XrayDimension } from "./dimensions.ts"
import { FIRST_SEEN } from "./fieldCards.ts"

/** Cards of an x-ray, unless all are asked for. */
export const SHOWN_CARDS = 15
/** Cards of an x-ray with everything; a dashboard holds 100, headings included. */
export const MAX_CARDS = 60
/** Categories that can be chosen on an x-ray, the best ones. */
const CATEGORY_PARAMETERS = 3

/** The best cards first; of equal ones, the first. No question twice. */
export const ranked = (cards: ReadonlyArray<XrayCard>): ReadonlyArray<XrayCard> => {
  const seen = new Set<string>()
  return cards
    .toSorted((a, b) => b.score - a.score)
    .filter(({ display, query }) => {
      const key = JSON.stringify([display, query])
      return !seen.has(key) && seen.add(key) !== undefined
    })
    .slice(0, MAX_CARDS)
}

/** What can be chosen on an x-ray, and what it applies to in questions about each view. */
export interface XrayParameters {
  readonly parameters: ReadonlyArray<DashboardParameter>
  readonly categories: ReadonlyArray<XrayDimension>
}

/** The site, the date, and up to three categories. */
export const parametersFor = (
  dimensions: ReadonlyArray<XrayDimension>,
  { date, hasTime, site }: { readonly site: string | null; readonly date: string; readonly hasTime: boolean }
): XrayParameters => {
  const categories = dimensions
    .filter((dimension) => dimension.isText && (isCategory(dimension) || dimension.class === "country"))
    .filter(({ field }) => field.property === null)
    .slice(0, CATEGORY_PARAMETERS)
  return {
    categories,
    parameters: [
      { id: "site", name: "Site", slug: "site", type: "site", required: true, ...withDefault(site) },
      ...(hasTime
        ? [{ id: "date", name: "Date", slug: "date", type: "date/all-options" as const, default: date }]
        : []),
      ...categories.map(({ field, title }) => ({
        id: field.name,
        name: title,
        slug: field.name,
        type: "string/=" as const,
        isMultiSelect: true
      }))
    ]
  }
}

const withDefault = (value: string | null) => (value === null ? {} : { default: value })

/** The view that a question reads in the end, and whether another question is in between. */
const sourceOf = ({ source }: Query): { readonly view: View; readonly isNested: boolean } => {
  if (typeof source === "string") return { view: findView(source)!, isNested: false }
  return { view: sourceOf((source as { readonly query: Query }).query).view, isNested: true }
}

/** What each parameter applies to in a card's question. */
export const mappingsOf = (
  { isDated, query }: XrayCard,
  { categories }: XrayParameters,
  tables: ReadonlyArray<TableRecord>
): ReadonlyArray<ParameterMapping> => {
  const { isNested, view } = sourceOf(query)
  const inner = isNested ? [{ "stage-number": 0 }] : []
  const time = isNested ? FIRST_SEEN : view.time
  return [
    { parameter_id: "site", target: ["dimension", ["field", view.site], ...inner] },
    ...(isDated && time !== null
      ? [{ parameter_id: "date", target: ["dimension", ["field", time]] as ParameterMapping["target"] }]
      : []),
    ...categories.flatMap(({ field }): ReadonlyArray<ParameterMapping> => {
      const clause = clauseIn(view, field, viewOfField(field, tables))
      return clause === null ? [] : [{ parameter_id: field.name, target: ["dimension", clause, ...inner] }]
    })
  ]
}

/** What ids are computed from; a UUID of our own. */
const NAMESPACE = "6c5d2a3e-0b0e-4f0e-9d53-2f0a4a3f6f10"

/** The same id for the same content. */
export const stableId = (...content: ReadonlyArray<unknown>): string =>
  Bun.randomUUIDv5(JSON.stringify(content), NAMESPACE)

export interface Layout {
  readonly dashcards: ReadonlyArray<Dashcard>
  /** The questions by their ids. */
  readonly cards: ReadonlyMap<string, XrayCard>
}

const HEADING_ROWS = 1

const heading = (group: Group, row: number): Dashcard => ({
  id: stableId("heading", group),
  card_id: null,
  dashboard_tab_id: null,
  row,
  col: 0,
  size_x: GRID_COLUMNS,
  size_y: HEADING_ROWS,
  parameter_mappings: [],
  visualization_settings: { virtual_card: { display: "heading" }, text: GROUPS[group] }
})

/** The cards on the grid, under the headings of their groups, from left to right and from top to bottom. */
export const layOut = (
  cards: ReadonlyArray<XrayCard>,
  mappingsFor: (card: XrayCard) => ReadonlyArray<ParameterMapping>
): Layout => {
  const byId = new Map<string, XrayCard>()
  const dashcards: Array<Dashcard> = []
  let row = 0
  for (const group of Object.keys(GROUPS) as ReadonlyArray<Group>) {
    const members = cards.filter((card) => card.group === group)
    if (members.length === 0) continue
    dashcards.push(heading(group, row))
    row += HEADING_ROWS
    let [col, height] = [0, 0]
    for (const card of members) {
      const [columns, rows] = card.size
      if (col + columns > GRID_COLUMNS) {
        row += height
        ;[col, height] = [0, 0]
      }
      const id = stableId(card.title, card.query)
      byId.set(id, card)
      dashcards.push({
        id: stableId("dashcard", id),
        card_id: id,
        dashboard_tab_id: null,
        row,
        col,
        size_x: columns,
        size_y: rows,
        parameter_mappings: mappingsFor(card),
        visualization_settings: {}
      })
      col += columns
      height = Math.max(height, rows)
    }
    row += height
  }
  return { dashcards, cards: byId }
}
