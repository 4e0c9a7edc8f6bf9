import { Schema } from "effect"
import { type CardBody, DISPLAYS, VisualizationSettings } from "../../../domain/content/Card.ts"
import type { Item } from "../../../domain/content/Item.ts"
import { CardParameters } from "../../../domain/content/Parameter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { changeFields, createFields, headFields, headJson, ignored, ignoredHead } from "../content/json.ts"

/** The id of Product Analytics as a database, in Metabase's vocabulary. */
const DATABASE_ID = 13371338

const EXAMPLE_QUERY = {
  fql: 1,
  type: "query",
  source: "v_pa_events",
  filter: ["time-interval", "created_at", -30, "day"],
  aggregation: [["metric", "visits"]],
  breakout: [["field", "created_at", { "temporal-unit": "day" }]]
}
const Query = Schema.Record(Schema.String, Schema.Unknown).annotate({
  description: "The question in FQL/1, stored as it is sent; docs/questions.md describes the language.",
  examples: [EXAMPLE_QUERY]
})
const Display = Schema.NonEmptyString.annotate({ description: "The visualization", examples: ["line"] })
export const NewDisplay = Schema.Literals(DISPLAYS).annotate({ description: "The visualization", examples: ["line"] })
const Settings = VisualizationSettings.annotate({ description: "Settings of the visualization, for the client only" })
const Parameters = CardParameters.annotate({ description: "What can be chosen when the question is asked" })

export const CardJson = Schema.Struct({
  ...headFields,
  type: Schema.Literal("question"),
  query_type: Schema.Literal("query"),
  database_id: Schema.Int.annotate({ examples: [DATABASE_ID] }),
  dataset_query: Query,
  display: Display,
  visualization_settings: Settings,
  parameters: Parameters
}).annotate({ identifier: "Card", description: "A saved question." })

export const CardCreateJson = Schema.Struct({
  ...createFields,
  dataset_query: Query,
  display: Schema.optionalKey(NewDisplay),
  visualization_settings: Schema.optionalKey(Settings),
  parameters: Schema.optionalKey(Parameters)
}).annotate({ identifier: "CardCreate" })

export const CardUpdateJson = Schema.Struct({
  ...ignoredHead,
  ...ignored("type", "query_type", "database_id"),
  ...changeFields,
  dataset_query: Schema.optionalKey(Query),
  display: Schema.optionalKey(NewDisplay),
  visualization_settings: Schema.optionalKey(Settings),
  parameters: Schema.optionalKey(Parameters)
}).annotate({ identifier: "CardUpdate", description: "Absent keys keep their values." })

export const cardJson = (card: Item<CardBody>, principal: Principal): typeof CardJson.Type => ({
  ...headJson(card, principal),
  type: "question",
  query_type: "query",
  database_id: DATABASE_ID,
  ...card.body
})

/** A request's content, with what it leaves out. */
export const cardBodyOf = (
  given: Pick<typeof CardUpdateJson.Type, "dataset_query" | "display" | "visualization_settings" | "parameters">,
  before: CardBody
): CardBody => ({
  dataset_query: given.dataset_query ?? before.dataset_query,
  display: given.display ?? before.display,
  visualization_settings: given.visualization_settings ?? before.visualization_settings,
  parameters: given.parameters ?? before.parameters
})

export const NEW_CARD: CardBody = { dataset_query: {}, display: "table", visualization_settings: {}, parameters: [] }
