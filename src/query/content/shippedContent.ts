import { Schema } from "effect"
import { CardBody } from "../../domain/content/Card.ts"
import { DashboardBody } from "../../domain/content/Dashboard.ts"
import { ItemId } from "../../domain/content/Item.ts"
import { CardParameter, DashboardParameter, ParameterTarget } from "../../domain/content/Parameter.ts"
import { PRODUCT_ANALYTICS } from "../../domain/people.ts"
import type { ShippedItem } from "../../ports/Content.ts"
import acquisition from "./acquisition.json" with { type: "json" }
import audience from "./audience.json" with { type: "json" }
import behavior from "./behavior.json" with { type: "json" }
import cardFile from "./cards.json" with { type: "json" }
import events from "./events.json" with { type: "json" }
import overview from "./overview.json" with { type: "json" }
import parameterFile from "./parameters.json" with { type: "json" }
import revenue from "./revenue.json" with { type: "json" }
import webVitals from "./web-vitals.json" with { type: "json" }

/*
 * What ships with Footfall, in files: `parameters.json` has the parameters of every dashboard and what they apply to in each view,
 * `cards.json` the questions, and each other file a dashboard. A released id keeps its meaning.
 */

const Parameters = Schema.Struct({
  parameters: Schema.Array(DashboardParameter),
  /** By view, then by parameter. A parameter that is missing does not apply to questions about the view. */
  targets: Schema.Record(Schema.String, Schema.Record(Schema.String, ParameterTarget))
})

const Cards = Schema.Record(
  Schema.String,
  Schema.Struct({
    id: ItemId,
    name: Schema.String,
    description: Schema.NullOr(Schema.String),
    display: Schema.String,
    query: Schema.Record(Schema.String, Schema.Unknown),
    settings: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
    /** Parameters that do not apply, such as the event where only pageviews count. */
    without: Schema.optionalKey(Schema.Array(Schema.String))
  })
)

const place = { id: Schema.String, col: Schema.Int, row: Schema.Int, size_x: Schema.Int, size_y: Schema.Int }
const Dashboard = Schema.Struct({
  id: ItemId,
  name: Schema.String,
  description: Schema.String,
  dashcards: Schema.Array(
    Schema.Union([
      /** A card by its key in `cards.json`. */
      Schema.Struct({ ...place, card: Schema.String }),
      Schema.Struct({ ...place, heading: Schema.String }),
      Schema.Struct({ ...place, text: Schema.String })
    ])
  )
})
type Dashboard = typeof Dashboard.Type

const STRICT = { onExcessProperty: "error" } as const
const { parameters, targets } = Schema.decodeUnknownSync(Parameters, STRICT)(parameterFile)
const cards = Schema.decodeUnknownSync(Cards, STRICT)(cardFile)
const dashboards = [overview, acquisition, audience, behavior, events, revenue, webVitals].map((file) =>
  Schema.decodeUnknownSync(Dashboard, STRICT)(file)
)

type CardFile = (typeof cards)[string]

const isCardParameter = Schema.is(CardParameter)

/** The parameters that apply to a question, with what they apply to. */
const parametersOf = ({ query, without = [] }: CardFile): ReadonlyArray<CardParameter> =>
  parameters
    .filter(({ id }) => !without.includes(id))
    .map((parameter) => ({ ...parameter, target: targets[String(query["source"])]?.[parameter.id] }))
    .filter(isCardParameter)

const withChecksum = (item: Omit<ShippedItem, "checksum">): ShippedItem => ({
  ...item,
  checksum: new Bun.CryptoHasher("sha256").update(JSON.stringify(item)).digest("hex")
})

const cardOf = (card: CardFile): ShippedItem =>
  withChecksum({
    id: card.id,
    kind: "card",
    name: card.name,
    description: card.description,
    collection: PRODUCT_ANALYTICS.id,
    body: Schema.decodeUnknownSync(CardBody)({
      dataset_query: card.query,
      display: card.display,
      visualization_settings: card.settings ?? {},
      parameters: parametersOf(card)
    })
  })

const virtual = (display: "heading" | "text", text: string) => ({ virtual_card: { display }, text })

const dashcardOf = (dashcard: Dashboard["dashcards"][number]) => {
  const { col, id, row, size_x, size_y } = dashcard
  const at = { id, row, col, size_x, size_y, dashboard_tab_id: null }
  if ("heading" in dashcard || "text" in dashcard) {
    const settings = "heading" in dashcard ? virtual("heading", dashcard.heading) : virtual("text", dashcard.text)
    return { ...at, card_id: null, parameter_mappings: [], visualization_settings: settings }
  }
  const card = cards[dashcard.card]!
  const mappings = parametersOf(card).map(({ id: parameter_id, target }) => ({ parameter_id, target }))
  return { ...at, card_id: card.id, parameter_mappings: mappings, visualization_settings: {} }
}

const dashboardOf = ({ dashcards, description, id, name }: Dashboard): ShippedItem =>
  withChecksum({
    id,
    kind: "dashboard",
    name,
    description,
    collection: PRODUCT_ANALYTICS.id,
    body: Schema.decodeUnknownSync(DashboardBody)({
      parameters,
      tabs: [],
      dashcards: dashcards.map(dashcardOf),
      auto_apply_filters: true,
      width: "fixed"
    })
  })

/** Everything that ships with Footfall: questions, then the dashboards that refer to them. */
export const shippedContent: ReadonlyArray<ShippedItem> = [
  ...Object.values(cards).map(cardOf),
  ...dashboards.map(dashboardOf)
]
