import { Schema } from "effect"
import { CardBody } from "./Card.ts"
import { DashboardBody } from "./Dashboard.ts"
import type { ItemKind } from "./Item.ts"
import type { CardParameter, DashboardParameter } from "./Parameter.ts"
import { type References, referencesOf } from "./references.ts"
import { FilterBody } from "./SavedFilter.ts"

/** The content of each kind of item. */
export interface Bodies {
  readonly card: CardBody
  readonly dashboard: DashboardBody
  readonly segment: FilterBody
  readonly cohort: FilterBody
}

/** Reads stored content, which migrations keep in the form of its kind; throws on anything else. */
export const DECODE_BODY: { readonly [Kind in ItemKind]: (json: unknown) => Bodies[Kind] } = {
  card: Schema.decodeUnknownSync(CardBody),
  dashboard: Schema.decodeUnknownSync(DashboardBody),
  segment: Schema.decodeUnknownSync(FilterBody),
  cohort: Schema.decodeUnknownSync(FilterBody)
}

/** What each kind is called in messages. */
export const KIND_NAMES: Readonly<Record<ItemKind, string>> = {
  card: "question",
  dashboard: "dashboard",
  segment: "segment",
  cohort: "cohort"
}

/** The saved items that an item needs, by their ids, with the kind that each must have. */
export const itemReferences = <Kind extends ItemKind>(
  kind: Kind,
  body: Bodies[Kind]
): ReadonlyMap<string, ItemKind> => {
  switch (kind) {
    case "card": {
      const { dataset_query: query, parameters } = body as CardBody
      return new Map([...byKind(referencesOf(query)), ...defaultsOf(parameters)])
    }
    case "dashboard": {
      const { dashcards, parameters } = body as DashboardBody
      const cards = dashcards.flatMap(({ card_id: id }) => (id === null ? [] : [[id.toLowerCase(), "card"] as const]))
      return new Map([...cards, ...defaultsOf(parameters)])
    }
    default:
      return byKind(referencesOf((body as FilterBody).filter))
  }
}

const byKind = ({ cards, cohorts, segments }: References): ReadonlyMap<string, ItemKind> =>
  new Map([
    ...[...cards].map((id) => [id, "card"] as const),
    ...[...segments].map((id) => [id, "segment"] as const),
    ...[...cohorts].map((id) => [id, "cohort"] as const)
  ])

/** Segments and cohorts that are defaults of parameters. */
const defaultsOf = (
  parameters: ReadonlyArray<CardParameter | DashboardParameter>
): ReadonlyArray<readonly [string, ItemKind]> =>
  parameters.flatMap(({ default: value, type }) =>
    type === "segment" || type === "cohort" ? [...byKind(referencesOf([value].flat().map((id) => [type, id])))] : []
  )
