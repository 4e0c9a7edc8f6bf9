import { Effect, Result, Schema } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import { VisualizationSettings } from "../../../domain/content/Card.ts"
import { DashboardBody, type Dashcard, GRID_COLUMNS, ParameterMapping } from "../../../domain/content/Dashboard.ts"
import type { Item } from "../../../domain/content/Item.ts"
import { DashboardParameters } from "../../../domain/content/Parameter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { CardJson, cardJson } from "../cards/json.ts"
import {
  CopyJson,
  changeFields,
  createFields,
  EXAMPLE_ID,
  headFields,
  headJson,
  ignored,
  ignoredHead
} from "../content/json.ts"
import { invalidRequest } from "../invalidRequest.ts"
import type { BadRequest } from "../problems.ts"

const Id = Schema.String.annotate({ format: "uuid", examples: [EXAMPLE_ID] })
const Parameters = DashboardParameters.annotate({
  description: "What can be chosen on the dashboard; `parameter_mappings` say what it applies to on each card"
})
const cell = (description: string, example: number) => Schema.Int.annotate({ description, examples: [example] })
/** Where a card is on the grid. */
export const place = {
  row: cell("From the top, from 0", 0),
  col: cell(`From the left, 0 to ${GRID_COLUMNS - 1}`, 0),
  size_x: cell(`Width in columns, 1 to ${GRID_COLUMNS}`, 12),
  size_y: cell("Height in rows", 6)
}
const Settings = VisualizationSettings.annotate({
  description:
    'Settings of the visualization on this dashboard. A string without a card: `{"virtual_card": {"display": "text"}, "text": "…"}`, or `heading`.'
})

const DashcardJson = Schema.Struct({
  id: Id,
  dashboard_id: Id,
  card_id: Schema.NullOr(Id).annotate({
    description: "Null: a string, or a question that the caller may not read, of which only the place is shown"
  }),
  card: Schema.NullOr(CardJson).annotate({ description: "Null if `card_id` is" }),
  dashboard_tab_id: Schema.NullOr(Id),
  ...place,
  parameter_mappings: Schema.Array(ParameterMapping),
  visualization_settings: Settings
}).annotate({ identifier: "Dashcard", description: "A question or a string on the grid." })

const TabJson = Schema.Struct({ id: Id, name: Schema.String, position: Schema.Int }).annotate({
  identifier: "DashboardTab"
})

const options = {
  auto_apply_filters: Schema.Boolean.annotate({ description: "Whether a changed parameter applies at once" }),
  width: Schema.Literals(["fixed", "full"])
}

export const DashboardJson = Schema.Struct({
  ...headFields,
  parameters: Parameters,
  tabs: Schema.Array(TabJson),
  dashcards: Schema.Array(DashcardJson),
  ...options
}).annotate({ identifier: "Dashboard", description: "Cards on a grid of 24 columns." })

/** Of something new, a negative number may stand for an id. */
const NewId = Schema.Union([Schema.String, Schema.Int]).annotate({
  description: "A UUID; something new has none, or a negative number to refer to it in the same request"
})

const WrittenMapping = Schema.Struct({
  ...ParameterMapping.fields,
  ...ignored("card_id")
})

const WrittenDashcard = Schema.Struct({
  ...ignored("card", "dashboard_id", "created_at", "updated_at", "entity_id"),
  id: Schema.optionalKey(NewId),
  card_id: Schema.optionalKey(Schema.NullOr(Schema.String)),
  dashboard_tab_id: Schema.optionalKey(Schema.NullOr(NewId)),
  ...place,
  parameter_mappings: Schema.optionalKey(Schema.Array(WrittenMapping)),
  visualization_settings: Schema.optionalKey(Settings)
})

const WrittenTab = Schema.Struct({
  ...ignored("position", "dashboard_id", "entity_id"),
  id: Schema.optionalKey(NewId),
  name: Schema.String
})

const writtenFields = {
  parameters: Schema.optionalKey(Parameters),
  tabs: Schema.optionalKey(Schema.Array(WrittenTab).annotate({ description: "All tabs in their order" })),
  dashcards: Schema.optionalKey(Schema.Array(WrittenDashcard).annotate({ description: "All cards and strings" })),
  auto_apply_filters: Schema.optionalKey(options.auto_apply_filters),
  width: Schema.optionalKey(options.width)
}

export const DashboardCreateJson = Schema.Struct({ ...createFields, ...writtenFields }).annotate({
  identifier: "DashboardCreate"
})

export const DashboardUpdateJson = Schema.Struct({ ...ignoredHead, ...changeFields, ...writtenFields }).annotate({
  identifier: "DashboardUpdate",
  description:
    "Absent keys keep their values. `tabs` and `dashcards` replace the whole lists. A question that the caller may not read stays on the dashboard if its dashcard is sent back."
})

export const DashboardCopyJson = Schema.Struct({
  ...CopyJson.fields,
  is_deep_copy: Schema.optionalKey(
    Schema.Boolean.annotate({ description: "`true` also duplicates the questions on it; default: false" })
  )
})

/** Questions on a dashboard, by their ids: those that somebody may read. */
export type Cards = ReadonlyMap<string, Item<CardBody>>

const isHidden = ({ card_id: id }: Dashcard, cards: Cards): boolean => id !== null && !cards.has(id)

/** A dashcard as somebody sees it who may read these questions: of the others, only the place. */
export const shownDashcard = (dashcard: Dashcard, cards: Cards): Dashcard =>
  isHidden(dashcard, cards)
    ? { ...dashcard, card_id: null, parameter_mappings: [], visualization_settings: {} }
    : dashcard

export const dashboardJson = (
  dashboard: Item<DashboardBody>,
  cards: Cards,
  principal: Principal
): typeof DashboardJson.Type => {
  const { dashcards, tabs, ...body } = dashboard.body
  return {
    ...headJson(dashboard, principal),
    ...body,
    tabs: tabs.map((tab, position) => ({ ...tab, position })),
    dashcards: dashcards.map((dashcard) => {
      const card = dashcard.card_id === null ? undefined : cards.get(dashcard.card_id)
      return {
        ...shownDashcard(dashcard, cards),
        dashboard_id: dashboard.id,
        card: card === undefined ? null : cardJson(card, principal)
      }
    })
  }
}

export const NEW_DASHBOARD: DashboardBody = {
  parameters: [],
  tabs: [],
  dashcards: [],
  auto_apply_filters: true,
  width: "fixed"
}

type Written = Pick<typeof DashboardUpdateJson.Type, keyof typeof writtenFields>

/** Ids of a request: a UUID in lower case stays, and each negative number gets one. */
const idsOf = () => {
  const made = new Map<number, string>()
  return (given: string | number | undefined): string => {
    if (typeof given === "string") return given.toLowerCase()
    if (given === undefined) return crypto.randomUUID()
    const id = made.get(given) ?? crypto.randomUUID()
    made.set(given, id)
    return id
  }
}

/** A request's content in the stored form, with what it leaves out; not checked yet. */
const storedForm = (given: Written, before: DashboardBody, cards: Cards): unknown => {
  const tabId = idsOf()
  const cardId = idsOf()
  const { auto_apply_filters: autoApply = before.auto_apply_filters, parameters = before.parameters } = given
  /** Who does not see a question can move it and take it away, and leaves it as it is, but for parameters that are gone. */
  const hidden = new Map(
    before.dashcards
      .filter((dashcard) => isHidden(dashcard, cards))
      .map(({ parameter_mappings: mappings, ...dashcard }) => [
        dashcard.id,
        {
          ...dashcard,
          parameter_mappings: mappings.filter(({ parameter_id: id }) => parameters.some((one) => one.id === id))
        }
      ])
  )
  return {
    parameters,
    tabs: given.tabs?.map(({ id, name }) => ({ id: tabId(id), name })) ?? before.tabs,
    dashcards:
      given.dashcards?.map((one) => {
        const id = cardId(one.id)
        const settings = one.visualization_settings ?? {}
        const kept = one.card_id == null && !("virtual_card" in settings) ? hidden.get(id) : undefined
        return {
          id,
          card_id: one.card_id?.toLowerCase() ?? null,
          parameter_mappings: (one.parameter_mappings ?? []).map(({ parameter_id, target }) => ({
            parameter_id,
            target
          })),
          visualization_settings: settings,
          ...kept,
          dashboard_tab_id: one.dashboard_tab_id == null ? null : tabId(one.dashboard_tab_id),
          row: one.row,
          col: one.col,
          size_x: one.size_x,
          size_y: one.size_y
        }
      }) ?? before.dashcards.map((dashcard) => hidden.get(dashcard.id) ?? dashcard),
    auto_apply_filters: autoApply,
    width: given.width ?? before.width
  }
}

const decode = Schema.decodeUnknownResult(DashboardBody, { errors: "all" })
/** A request's content. `cards`: the questions on it before that the caller may read. Fails with a pointer to each invalid part. */
export const dashboardBodyOf = (
  given: Written,
  before: DashboardBody,
  cards: Cards = new Map()
): Effect.Effect<DashboardBody, BadRequest> =>
  Result.match(decode(storedForm(given, before, cards)), {
    onSuccess: Effect.succeed,
    onFailure: ({ issue }) => Effect.fail(invalidRequest("body", issue))
  })
