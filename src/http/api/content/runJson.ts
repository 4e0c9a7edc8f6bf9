import { Schema } from "effect"
import { MAX_PARAMETERS, ParameterValue } from "../../../domain/content/Parameter.ts"

const Given = Schema.Struct({
  id: Schema.String.annotate({ description: "The parameter's id or slug", examples: ["country"] }),
  value: ParameterValue.annotate({
    description: "One value or several; null: no condition, unless the parameter is required",
    examples: ["DE"]
  }),
  type: Schema.optionalKey(Schema.Unknown.annotate({ description: "Ignored: the saved one applies" })),
  target: Schema.optionalKey(Schema.Unknown.annotate({ description: "Ignored: the saved one applies" })),
  slug: Schema.optionalKey(Schema.Unknown.annotate({ description: "Ignored" }))
})

export const GivenParameters = Schema.Array(Given).check(Schema.isMaxLength(MAX_PARAMETERS))
export type GivenParameters = typeof GivenParameters.Type

/** How a saved question is asked. */
export const RunJson = Schema.Struct({
  parameters: Schema.optionalKey(
    GivenParameters.annotate({ description: "Values of parameters; the others have their defaults" })
  ),
  ignore_cache: Schema.optionalKey(Schema.Boolean.annotate({ description: "`true` computes the answer again" }))
}).annotate({ identifier: "Run", description: "How a saved question is asked." })

/** How a saved question is exported. */
export const ExportRunJson = Schema.Struct({
  parameters: Schema.optionalKey(GivenParameters),
  format_rows: Schema.optionalKey(
    Schema.Boolean.annotate({
      description:
        "`true` (default): titles of columns, and text that a spreadsheet would run gets an apostrophe in CSV. `false`: names of columns, and text exactly as it is."
    })
  )
}).annotate({ identifier: "ExportRun" })
