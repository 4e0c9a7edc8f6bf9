import { Schema } from "effect"

/** A value of a field as it is shown. */
export const ShownValue = Schema.Union([Schema.String, Schema.Finite, Schema.Boolean])
export type ShownValue = typeof ShownValue.Type

/** Values with the number of rows that have them. */
export const CountedValues = Schema.Array(Schema.Tuple([ShownValue, Schema.Finite]))
export type CountedValues = typeof CountedValues.Type

/** Sums over the strings of a sample, from which shares follow. `length` is in UTF-16 units. */
const TextStats = Schema.Struct({
  rows: Schema.Finite,
  length: Schema.Finite,
  url: Schema.Finite,
  email: Schema.Finite,
  json: Schema.Finite,
  state: Schema.Finite
})
export type TextStats = typeof TextStats.Type

/** `sum` and `squares` (of the distances to the mean) add up over samples; quartiles do not. */
const NumberStats = Schema.Struct({
  rows: Schema.Finite,
  min: Schema.Finite,
  max: Schema.Finite,
  sum: Schema.Finite,
  squares: Schema.Finite,
  q1: Schema.Finite,
  q3: Schema.Finite
})
export type NumberStats = typeof NumberStats.Type

/** ISO 8601 in UTC. */
const TimeStats = Schema.Struct({ earliest: Schema.String, latest: Schema.String })
export type TimeStats = typeof TimeStats.Type

/** What a sample of a field's values is like. */
export const FieldStats = Schema.Struct({
  rows: Schema.Finite,
  nulls: Schema.Finite,
  distinct: Schema.Finite,
  /** Whether there are rows that the sample does not have, so that there may be more values. */
  isPartial: Schema.Boolean,
  text: Schema.NullOr(TextStats),
  number: Schema.NullOr(NumberStats),
  time: Schema.NullOr(TimeStats),
  /** The most frequent values. */
  top: CountedValues
})
export type FieldStats = typeof FieldStats.Type
