import { Schema } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { DashboardBody } from "../../../domain/content/Dashboard.ts"
import type { Item } from "../../../domain/content/Item.ts"
import { type CardParameter, DashboardParameter } from "../../../domain/content/Parameter.ts"
import type { Answer } from "../../../query/answer.ts"
import { EXAMPLE_ID } from "../content/json.ts"
import { DashboardJson, place } from "../dashboards/json.ts"
import { AnswerColumnJson, AnswerJson } from "../dataset/answerJson.ts"
import { isShown, type Lock } from "./locks.ts"

const { data, row_count, truncated, limit_applied, has_other, partial_buckets, as_of, comparison } = AnswerJson.fields
const { rows, results_timezone } = data.fields
const { field_ref: _, ...column } = AnswerColumnJson.fields

/** An answer without the question: neither its clauses nor its SQL. */
export const SharedAnswerJson = Schema.Struct({
  data: Schema.Struct({ cols: Schema.Array(Schema.Struct(column)), rows, results_timezone }),
  row_count,
  truncated,
  has_other,
  limit_applied,
  partial_buckets,
  as_of,
  comparison
}).annotate({ identifier: "SharedAnswer", description: "The answer to a shared question." })

export const sharedAnswerJson = (answer: Answer): typeof SharedAnswerJson.Type => ({
  data: {
    cols: answer.data.cols.map(({ field_ref: _, ...rest }) => rest),
    rows: answer.data.rows,
    results_timezone: answer.data.results_timezone
  },
  row_count: answer.row_count,
  truncated: answer.truncated,
  has_other: answer.has_other,
  limit_applied: answer.limit_applied,
  partial_buckets: answer.partial_buckets,
  as_of: answer.as_of,
  comparison: answer.comparison
})

const { name, description, display, visualization_settings } = {
  name: DashboardJson.fields.name,
  description: DashboardJson.fields.description,
  display: Schema.String.annotate({ examples: ["line"] }),
  visualization_settings: Schema.Record(Schema.String, Schema.Unknown)
}
const Id = Schema.String.annotate({ format: "uuid", examples: [EXAMPLE_ID] })

/** Why a card is left out. */
export const NOT_SHOWN = "This card is not shown here, since something that is locked does not apply to it."

const drawn = { name, description, display, visualization_settings }
const exports = Schema.Boolean.annotate({ description: "Whether answers can be downloaded as files" })
const parameters = Schema.Array(DashboardParameter).annotate({ description: "What visitors can choose" })

export const SharedCardJson = Schema.Struct({ ...drawn, parameters, exports }).annotate({
  identifier: "SharedCard",
  description: "A shared question, without its clauses."
})

export const SharedDashboardJson = Schema.Struct({
  name,
  description,
  parameters,
  exports,
  tabs: DashboardJson.fields.tabs,
  dashcards: Schema.Array(
    Schema.Struct({
      id: Id,
      dashboard_tab_id: Schema.NullOr(Id),
      ...place,
      card_id: Schema.NullOr(Id),
      card: Schema.NullOr(Schema.Struct(drawn)),
      parameter_ids: Schema.Array(Schema.String).annotate({ description: "The parameters that apply to it" }),
      visualization_settings,
      not_shown: Schema.NullOr(Schema.String).annotate({
        description: "Why its question is left out; null if it is not",
        examples: [NOT_SHOWN]
      })
    })
  ),
  auto_apply_filters: DashboardJson.fields.auto_apply_filters,
  width: DashboardJson.fields.width
}).annotate({ identifier: "SharedDashboard", description: "A shared dashboard, without the questions' clauses." })

const drawnOf = (card: Item<CardBody>) => ({
  name: card.name,
  description: card.description,
  display: card.body.display,
  visualization_settings: card.body.visualization_settings
})

/** A parameter without what it applies to. */
const withoutTarget = (parameter: DashboardParameter | CardParameter): DashboardParameter => {
  const { target: _, ...rest } = parameter as CardParameter
  return rest
}

interface Shown {
  readonly visible: ReadonlyArray<DashboardParameter | CardParameter>
  readonly exports: boolean
  readonly locks: ReadonlyArray<Lock>
}

export const sharedCardJson = (card: Item<CardBody>, { exports, visible }: Shown): typeof SharedCardJson.Type => ({
  ...drawnOf(card),
  parameters: visible.map(withoutTarget),
  exports
})

export const sharedDashboardJson = (
  { body, description, name }: Item<DashboardBody>,
  cards: ReadonlyMap<string, Item<CardBody>>,
  { exports, locks, visible }: Shown
): typeof SharedDashboardJson.Type => ({
  name,
  description,
  parameters: visible.map(withoutTarget),
  exports,
  tabs: body.tabs.map((tab, position) => ({ ...tab, position })),
  dashcards: body.dashcards.map(({ parameter_mappings: mappings, ...dashcard }) => {
    if (!isShown({ ...dashcard, parameter_mappings: mappings }, locks)) {
      return { ...dashcard, card: null, parameter_ids: [], visualization_settings: {}, not_shown: NOT_SHOWN }
    }
    const card = cards.get(dashcard.card_id ?? "")
    return {
      ...dashcard,
      card: card === undefined ? null : drawnOf(card),
      parameter_ids: mappings
        .map(({ parameter_id: id }) => id)
        .filter((id) => visible.some((parameter) => parameter.id === id)),
      not_shown: null
    }
  }),
  auto_apply_filters: body.auto_apply_filters,
  width: body.width
})
