import { Schema } from "effect"

/**
 * Kinds of parameters, in Metabase's notation: what a parameter filters by, and how. `site`, `segment`, `cohort` and `compare` are Footfall's
 * own.
 */
export const PARAMETER_TYPES = [
  "date/all-options",
  "date/range",
  "date/single",
  "date/relative",
  "date/month-year",
  "date/quarter-year",
  "string/=",
  "string/!=",
  "string/contains",
  "string/does-not-contain",
  "string/starts-with",
  "string/ends-with",
  "number/=",
  "number/!=",
  "number/between",
  "number/>=",
  "number/<=",
  "boolean/=",
  "id",
  "temporal-unit",
  "site",
  "segment",
  "cohort",
  "compare"
] as const
export const ParameterType = Schema.Literals(PARAMETER_TYPES)
export type ParameterType = typeof ParameterType.Type

/** Values of one parameter: as many as one `=` of a question may have. */
export const MAX_PARAMETER_VALUES = 1_000
/** Parameters of one card or dashboard. */
export const MAX_PARAMETERS = 30

const Scalar = Schema.Union([Schema.String.check(Schema.isMaxLength(1_000)), Schema.Finite, Schema.Boolean])

/** What a parameter is set to. Null and an empty list: it filters nothing. */
export const ParameterValue = Schema.Union([
  Schema.Null,
  Scalar,
  Schema.Array(Schema.Union([Scalar, Schema.Null])).check(Schema.isMaxLength(MAX_PARAMETER_VALUES))
])
export type ParameterValue = typeof ParameterValue.Type

const Id = Schema.String.check(
  Schema.isPattern(/^[\w-]{1,64}$/, { message: "Use 1 to 64 letters, digits, `-` and `_`." })
)

/** What a parameter applies to in a question: a field, a property or an attribute, as in `["dimension", ["field", "country"]]`. */
export const ParameterTarget = Schema.TupleWithRest(
  Schema.Tuple([Schema.Literals(["dimension", "segment", "compare"])]),
  [Schema.Unknown]
)
export type ParameterTarget = typeof ParameterTarget.Type

const common = {
  id: Id.annotate({ description: "Unique among the parameters", examples: ["country"] }),
  name: Schema.NonEmptyString.check(Schema.isMaxLength(100)).annotate({ examples: ["Country"] }),
  slug: Id.annotate({ description: "Its name in addresses, unique among the parameters", examples: ["country"] }),
  type: ParameterType,
  default: Schema.optionalKey(ParameterValue.annotate({ description: "Applies when no value is given" })),
  required: Schema.optionalKey(
    Schema.Boolean.annotate({
      description:
        "The default applies also when the value is null. A required site without a default is the first one."
    })
  ),
  filteringParameters: Schema.optionalKey(
    Schema.Array(Id).check(Schema.isMaxLength(MAX_PARAMETERS)).annotate({
      description: "Parameters whose values limit the choice of this one, such as the country of a region"
    })
  ),
  isMultiSelect: Schema.optionalKey(Schema.Boolean),
  sectionId: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(64))),
  temporal_units: Schema.optionalKey(
    Schema.Array(Schema.String.check(Schema.isMaxLength(32))).check(Schema.isMaxLength(20))
  )
}

/** A parameter of a dashboard. Its cards say what it applies to. */
export const DashboardParameter = Schema.Struct(common).annotate({ identifier: "DashboardParameter" })
export type DashboardParameter = typeof DashboardParameter.Type

/** A parameter of a question, with what it applies to. */
export const CardParameter = Schema.Struct({ ...common, target: ParameterTarget }).annotate({
  identifier: "CardParameter"
})
export type CardParameter = typeof CardParameter.Type

/** A list of parameters whose ids and slugs are unique. */
const isUnique = (parameters: ReadonlyArray<{ readonly id: string; readonly slug: string }>): boolean =>
  new Set(parameters.map(({ id }) => id)).size === parameters.length &&
  new Set(parameters.map(({ slug }) => slug)).size === parameters.length

export const DashboardParameters = Schema.Array(DashboardParameter).check(
  Schema.isMaxLength(MAX_PARAMETERS),
  Schema.makeFilter((parameters) => isUnique(parameters) || "Two parameters have the same id or slug.")
)
export const CardParameters = Schema.Array(CardParameter).check(
  Schema.isMaxLength(MAX_PARAMETERS),
  Schema.makeFilter((parameters) => isUnique(parameters) || "Two parameters have the same id or slug.")
)
