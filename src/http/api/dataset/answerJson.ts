import { Schema } from "effect"
import type { Principal } from "../../../domain/Principal.ts"
import type { GivenAnswer } from "../../../query/run/Questions.ts"

const Cell = Schema.NullOr(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])).annotate({
  description:
    "Times are ISO 8601: hours, minutes and moments with an offset, longer units as wall time in the question's zone. Whole numbers beyond 2^53 and decimals that a double would round are strings."
})

export const AnswerColumnJson = Schema.Struct({
  name: Schema.String.annotate({ examples: ["created_at"] }),
  display_name: Schema.String.annotate({ examples: ["Created at"] }),
  base_type: Schema.String.annotate({ examples: ["local"] }),
  semantic_type: Schema.NullOr(Schema.String),
  source: Schema.String.annotate({ description: "`breakout`, `aggregation` or `fields`", examples: ["breakout"] }),
  unit: Schema.NullOr(Schema.String).annotate({
    description: "Such as `s` for seconds, or `EUR` for amounts of one currency"
  }),
  temporal_unit: Schema.NullOr(Schema.String).annotate({ examples: ["day"] }),
  labels: Schema.NullOr(
    Schema.Array(Schema.Tuple([Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]), Schema.String]))
  ).annotate({
    description:
      "What is shown in the place of the values in the rows (a field's `remapping`); null: the values themselves",
    examples: [[[1, "Pageview"]]]
  }),
  field_ref: Schema.Unknown.annotate({ description: "The clause that refers to the column" })
})

const Row = Schema.Array(Cell)

const ChangeJson = Schema.Struct({
  difference: Schema.Finite.annotate({ examples: [-2] }),
  percent: Schema.NullOr(
    Schema.Finite.annotate({ description: "Rounded to two digits; null if the other number is 0", examples: [-25] })
  )
})

const ComparisonJson = Schema.Struct({
  compare: Schema.String.annotate({
    description: "What the question asked to be compared with",
    examples: ["previous-period"]
  }),
  from: Schema.String.annotate({
    description: "The first moment of the other period, in the question's zone",
    examples: ["2026-03-28T00:00:00+01:00"]
  }),
  until: Schema.String.annotate({
    description: "The first moment after the other period",
    examples: ["2026-03-30T00:00:00+02:00"]
  }),
  rows: Schema.Array(Schema.NullOr(Row)).annotate({
    description:
      "For each row of `data.rows`, the row of the other period that it is compared with: the same group, and the time as far from the period's start. A group without rows there has counts of 0. Null: the other period has no such time, the row sums up other groups, or there are too many groups to know."
  }),
  changes: Schema.Array(Schema.Array(Schema.NullOr(ChangeJson))).annotate({
    description: "For each row of `data.rows`, the change in each column of `data.cols`; null where there is none"
  }),
  unmatched: Schema.Array(Row).annotate({
    description:
      "Rows of the other period that are compared with none. Empty for a question with `limit`, `page` or `having`."
  }),
  partial_buckets: Schema.Array(Schema.String).annotate({
    description:
      "Values of the first column of the other period's rows whose time is not over, or that the period cuts",
    examples: [["2026-03-23T00:00:00"]]
  }),
  truncated: Schema.Boolean.annotate({ description: "Whether the other period has more groups than are compared" })
}).annotate({ identifier: "Comparison", description: "The answer for another period (`settings.compare`)." })

/** What a question returns, as JSON. */
export const AnswerJson = Schema.Struct({
  data: Schema.Struct({
    cols: Schema.Array(AnswerColumnJson),
    rows: Schema.Array(Row),
    results_timezone: Schema.String.annotate({ examples: ["Europe/Berlin"] }),
    results_week_start: Schema.Literals(["monday", "sunday"]).annotate({
      description: "The day that is 1 where days of the week are numbers"
    }),
    fql: Schema.Unknown.annotate({ description: "The question as it was understood" }),
    native_form: Schema.optionalKey(
      Schema.Struct({ sql: Schema.String }).annotate({ description: "The engine's statement, for administrators only" })
    )
  }),
  row_count: Schema.Int.annotate({ examples: [4] }),
  truncated: Schema.Boolean.annotate({ description: "Whether there are more rows than are shown" }),
  limit_applied: Schema.Int.annotate({ description: "How many rows are shown at most", examples: [10_000] }),
  has_other: Schema.Boolean.annotate({
    description: "Whether the last row sums up the groups beyond the question's limit (`settings.other`)"
  }),
  partial_buckets: Schema.Array(Schema.String).annotate({
    description: "Values of the first column whose time is not over, or that the range cuts"
  }),
  route: Schema.String.annotate({ description: "The engine that answered", examples: ["replica"] }),
  as_of: Schema.String.annotate({
    description: "Up to when the data is complete",
    examples: ["2026-03-31T12:00:00.000000Z"]
  }),
  warnings: Schema.Array(
    Schema.Struct({
      code: Schema.String.annotate({ examples: ["uncastable"] }),
      detail: Schema.String,
      key: Schema.optionalKey(
        Schema.String.annotate({
          description: "Of `uncastable` and `unknown-property`: the property or attribute",
          examples: ["seats"]
        })
      ),
      count: Schema.optionalKey(
        Schema.Int.annotate({
          description: "Of `uncastable`: its values in the range that were ignored",
          examples: [3]
        })
      )
    })
  ),
  comparison: Schema.NullOr(ComparisonJson).annotate({ description: "Null: nothing is compared" }),
  running_time: Schema.Int.annotate({ description: "In milliseconds", examples: [12] }),
  cached_at: Schema.optionalKey(
    Schema.String.annotate({ description: "When the answer was computed, if that was for an earlier question" })
  )
}).annotate({ identifier: "Answer", description: "The answer to a question." })

/** Administrators also see the statement. */
export const answerJson = (
  { answer, cachedAt, sql }: GivenAnswer,
  principal: Pick<Principal, "isAdmin">
): typeof AnswerJson.Type => ({
  ...answer,
  data: { ...answer.data, ...(principal.isAdmin && { native_form: { sql } }) },
  ...(cachedAt !== null && { cached_at: cachedAt })
})
