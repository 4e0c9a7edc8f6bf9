import { Schema } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import { VisualizationSettings } from "../../../domain/content/Card.ts"
import { ParameterMapping } from "../../../domain/content/Dashboard.ts"
import { FOOTFALL, type Item, ItemId, type ItemKind } from "../../../domain/content/Item.ts"
import { DashboardParameters } from "../../../domain/content/Parameter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import type { XrayCard } from "../../../query/xray/cards.ts"
import { stableId } from "../../../query/xray/dashboard.ts"
import type { Xray } from "../../../query/xray/xray.ts"
import { NewDisplay } from "../cards/json.ts"
import { createFields, Description, ItemName, ignored, ignoredHead } from "../content/json.ts"
import { DashboardJson, dashboardJson, NEW_DASHBOARD, place } from "../dashboards/json.ts"

const RelatedJson = Schema.Struct({
  url: Schema.String.annotate({
    description: "Below `/api/automagic-dashboards/`",
    examples: ["table/9257274545115/rule/WebAnalytics"]
  }),
  title: Schema.String.annotate({ examples: ["Web Analytics"] }),
  description: Schema.NullOr(Schema.String)
}).annotate({ identifier: "RelatedXray" })

const NoteJson = Schema.Struct({
  code: Schema.String.annotate({
    description:
      "`no-site`, `no-data`, `no-data-in-range`: there are no cards; `empty`, `one-value`, `slow`, `out-of-time`, `failed`: these cards were left out; `few-rows`: nothing is ranked",
    examples: ["empty"]
  }),
  detail: Schema.String.annotate({
    examples: ["There is nothing to show for this period: How Revenue is distributed."]
  }),
  cards: Schema.Array(Schema.String)
}).annotate({ identifier: "XrayNote" })

const share = (description: string, example: number) => Schema.Finite.annotate({ description, examples: [example] })

const DifferenceJson = Schema.Struct({
  field: Schema.String.annotate({ examples: ["Device"] }),
  value: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])),
  share: share("Of the selected rows, 0 to 1", 0.6),
  rest: share("Of the rest, 0 to 1", 0.4),
  lift: Schema.NullOr(share("By which part the share is larger or, if negative, smaller", 0.5)).annotate({
    description: "Null: no row of the rest has the value"
  }),
  n: Schema.Int.annotate({ description: "Rows with the value, on both sides; at least 30", examples: [120] })
}).annotate({ identifier: "XrayDifference" })

export const XrayJson = Schema.Struct({
  ...DashboardJson.fields,
  transient: Schema.Literal(true).annotate({
    description: "It is not saved: its ids lead nowhere, and `POST /api/dataset` answers its cards"
  }),
  notes: Schema.Array(NoteJson),
  differences: Schema.Array(DifferenceJson).annotate({ description: "Of a clicked point, the largest first" }),
  related: Schema.Struct({
    "zoom-in": Schema.Array(RelatedJson),
    "zoom-out": Schema.Array(RelatedJson),
    other: Schema.Array(RelatedJson)
  }),
  more: Schema.Boolean.annotate({ description: "Whether `show=all` has more cards", examples: [false] })
}).annotate({ identifier: "Xray", description: "A dashboard that Footfall made, and that is not saved." })

const itemOf = <Body>(
  kind: ItemKind,
  id: string,
  { at, body, description, name }: { name: string; description: string | null; body: Body; at: Date }
): Item<Body> => ({
  id: ItemId.make(id),
  kind,
  name,
  description,
  collection: PRODUCT_ANALYTICS.id,
  path: [PRODUCT_ANALYTICS.id],
  isShipped: false,
  isArchived: false,
  revision: 1,
  author: FOOTFALL,
  createdAt: at,
  updatedAt: at,
  body
})

const cardItem = (id: string, { description, display, query, settings, title }: XrayCard, at: Date): Item<CardBody> =>
  itemOf("card", id, {
    at,
    name: title,
    description,
    body: { dataset_query: { ...query }, display, visualization_settings: settings, parameters: [] }
  })

/** An x-ray in the form of a dashboard. What is not saved cannot be changed. */
export const xrayJson = (xray: Xray, principal: Principal, at: Date): typeof XrayJson.Type => {
  const { cards, dashcards, description, differences, hasMore, name, notes, parameters, related } = xray
  const dashboard = itemOf("dashboard", stableId("xray", name, dashcards), {
    at,
    name,
    description,
    body: { ...NEW_DASHBOARD, parameters, dashcards }
  })
  const items = new Map([...cards].map(([id, card]) => [id, cardItem(id, card, at)]))
  const json = dashboardJson(dashboard, items, principal)
  return {
    ...json,
    dashcards: json.dashcards.map((one) => ({
      ...one,
      card: one.card === null ? null : { ...one.card, can_write: false }
    })),
    can_write: false,
    transient: true,
    notes,
    differences,
    related,
    more: hasMore
  }
}

const SavedCard = Schema.Struct({
  ...ignoredHead,
  ...ignored("type", "query_type", "database_id", "parameters", "collection_id", "archived", "revision"),
  name: ItemName,
  description: Schema.optionalKey(Description),
  dataset_query: Schema.Record(Schema.String, Schema.Unknown),
  display: NewDisplay,
  visualization_settings: Schema.optionalKey(VisualizationSettings)
})

const SavedDashcard = Schema.Struct({
  ...ignored("id", "card_id", "dashboard_id", "dashboard_tab_id"),
  ...place,
  card: Schema.NullOr(SavedCard).annotate({ description: "Null: a heading or another string" }),
  parameter_mappings: Schema.optionalKey(Schema.Array(ParameterMapping)),
  visualization_settings: Schema.optionalKey(VisualizationSettings)
})

/** An x-ray as it was received, perhaps with another name, and the collection to save it in. */
export const SaveJson = Schema.Struct({
  ...ignoredHead,
  ...ignored("transient", "notes", "differences", "related", "more"),
  ...ignored("tabs", "archived", "revision", "auto_apply_filters", "width"),
  ...createFields,
  parameters: Schema.optionalKey(DashboardParameters),
  dashcards: Schema.Array(SavedDashcard)
}).annotate({ identifier: "DashboardSave" })
