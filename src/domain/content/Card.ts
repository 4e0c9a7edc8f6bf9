import { Schema } from "effect"
import { CardParameters } from "./Parameter.ts"

/** In bytes of JSON: settings of one visualization, such as colors, column widths and number formats. */
export const MAX_SETTINGS_BYTES = 32_768

/** Settings of a visualization. The server stores them and does not read them. */
export const VisualizationSettings = Schema.Record(Schema.String, Schema.Unknown).check(
  Schema.makeFilter(
    (settings) =>
      new TextEncoder().encode(JSON.stringify(settings)).length <= MAX_SETTINGS_BYTES ||
      `The settings must have at most ${MAX_SETTINGS_BYTES} bytes as JSON.`
  )
)
export type VisualizationSettings = typeof VisualizationSettings.Type

/** The visualizations, in Metabase's words. */
export const DISPLAYS = [
  ...([
    "table",
    "line",
    "area",
    "bar",
    "row",
    "combo",
    "pie",
    "scatter",
    "heatmap",
    "map",
    "sankey",
    "funnel"
  ] as const),
  ...(["waterfall", "scalar", "smartscalar", "gauge", "progress", "pivot", "object"] as const)
] as const

/** A saved question and how to draw it. */
export const CardBody = Schema.Struct({
  /** In FQL/1, as it was sent. */
  dataset_query: Schema.Record(Schema.String, Schema.Unknown),
  /** The visualization, such as `line` or `table`. */
  display: Schema.NonEmptyString.check(Schema.isMaxLength(64)),
  visualization_settings: VisualizationSettings,
  parameters: CardParameters
})
export type CardBody = typeof CardBody.Type
