import { Schema } from "effect"
import { UUID_PATTERN } from "../ids.ts"
import { VisualizationSettings } from "./Card.ts"
import { DashboardParameters, MAX_PARAMETERS, ParameterTarget } from "./Parameter.ts"

/** Columns of a dashboard's grid. */
export const GRID_COLUMNS = 24
/** Rows of the grid. A card far below the others is a mistake. */
const MAX_ROWS = 1_000
/** Cards and strings of one dashboard. */
const MAX_DASHCARDS = 100
const MAX_TABS = 20
/** In characters, of a string between cards. */
const MAX_TEXT = 20_000

const Uuid = Schema.String.check(Schema.isPattern(UUID_PATTERN, { message: "Expected a UUID." }))
const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Which parameter sets which part of the card's question. */
export const ParameterMapping = Schema.Struct({
  parameter_id: Schema.String.check(Schema.isMaxLength(64)),
  target: ParameterTarget
})
export type ParameterMapping = typeof ParameterMapping.Type

/** A card or a string on the grid. `row` and `col` count from 0. */
export const Dashcard = Schema.Struct({
  id: Uuid,
  /** Null: a string, which `visualization_settings` holds. */
  card_id: Schema.NullOr(Uuid),
  dashboard_tab_id: Schema.NullOr(Uuid),
  row: whole(0, MAX_ROWS),
  col: whole(0, GRID_COLUMNS - 1),
  size_x: whole(1, GRID_COLUMNS),
  size_y: whole(1, MAX_ROWS),
  parameter_mappings: Schema.Array(ParameterMapping).check(Schema.isMaxLength(MAX_PARAMETERS)),
  visualization_settings: VisualizationSettings
})
export type Dashcard = typeof Dashcard.Type

export const DashboardTab = Schema.Struct({ id: Uuid, name: Schema.NonEmptyString.check(Schema.isMaxLength(75)) })
export type DashboardTab = typeof DashboardTab.Type

const TEXT_DISPLAYS: ReadonlyArray<unknown> = ["text", "heading"]

/** A dashcard without a card is a string: `{"virtual_card": {"display": "text"}, "text": "…"}`. */
const isText = ({ visualization_settings: settings }: Dashcard): boolean => {
  const virtual = settings["virtual_card"] as { readonly display?: unknown } | null | undefined
  const text = settings["text"]
  return TEXT_DISPLAYS.includes(virtual?.display) && typeof text === "string" && text.length <= MAX_TEXT
}

/** Two dashcards must not share a cell, or one would hide the other. */
const overlap = (a: Dashcard, b: Dashcard): boolean =>
  a.dashboard_tab_id === b.dashboard_tab_id &&
  a.row < b.row + b.size_y &&
  b.row < a.row + a.size_y &&
  a.col < b.col + b.size_x &&
  b.col < a.col + a.size_x

interface Layout {
  readonly dashcards: ReadonlyArray<Dashcard>
  readonly tabs: ReadonlyArray<DashboardTab>
  readonly parameters: ReadonlyArray<{ readonly id: string }>
}

const at = (index: number, key: string, issue: string): Schema.FilterIssue => ({
  path: ["dashcards", index, key],
  issue
})

/** What is wrong with one dashcard in its dashboard. */
const dashcardIssues = (
  { dashcards, parameters, tabs }: Layout,
  dashcard: Dashcard,
  index: number
): ReadonlyArray<Schema.FilterIssue> => [
  ...(dashcards.findIndex(({ id }) => id === dashcard.id) < index
    ? [at(index, "id", "Two dashcards have this id.")]
    : []),
  ...(dashcard.col + dashcard.size_x > GRID_COLUMNS
    ? [at(index, "size_x", `The card ends right of the grid, which has ${GRID_COLUMNS} columns.`)]
    : []),
  ...(tabs.length === 0
    ? dashcard.dashboard_tab_id === null
      ? []
      : [at(index, "dashboard_tab_id", "The dashboard has no such tab.")]
    : tabs.some(({ id }) => id === dashcard.dashboard_tab_id)
      ? []
      : [at(index, "dashboard_tab_id", "Give the id of one of the dashboard's tabs.")]),
  ...(dashcard.card_id === null && !isText(dashcard)
    ? [
        at(
          index,
          "visualization_settings",
          `A dashcard without a card needs {"virtual_card": {"display": "text" or "heading"}, "text": "…"} with at most ${MAX_TEXT} characters.`
        )
      ]
    : []),
  ...dashcard.parameter_mappings.flatMap(({ parameter_id: id }) =>
    parameters.some((parameter) => parameter.id === id)
      ? []
      : [at(index, "parameter_mappings", `The dashboard has no parameter with the id ${JSON.stringify(id)}.`)]
  ),
  ...(dashcards.slice(0, index).some((other) => overlap(other, dashcard))
    ? [at(index, "row", "This dashcard covers another one.")]
    : [])
]

const tabIssues = ({ tabs }: Layout): ReadonlyArray<Schema.FilterIssue> =>
  tabs.flatMap(({ id }, index) =>
    tabs.findIndex((other) => other.id === id) < index
      ? [{ path: ["tabs", index, "id"], issue: "Two tabs have this id." }]
      : []
  )

/** Cards on a grid of 24 columns, perhaps in tabs, with parameters that apply to several cards. */
export const DashboardBody = Schema.Struct({
  parameters: DashboardParameters,
  tabs: Schema.Array(DashboardTab).check(Schema.isMaxLength(MAX_TABS)),
  dashcards: Schema.Array(Dashcard).check(Schema.isMaxLength(MAX_DASHCARDS)),
  auto_apply_filters: Schema.Boolean,
  width: Schema.Literals(["fixed", "full"])
}).check(
  Schema.makeFilter((body) => [
    ...tabIssues(body),
    ...body.dashcards.flatMap((dashcard, index) => dashcardIssues(body, dashcard, index))
  ])
)
export type DashboardBody = typeof DashboardBody.Type
