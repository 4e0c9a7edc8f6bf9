import type { ViewName } from "../metadata/views.ts"

/*
 * What a question means, before any engine's SQL: relations, expressions with types, and two kinds of node that every engine computes in
 * its own way: visits (a visitor's rows split at gaps) and channels.
 */

/**
 * Types of expressions. `instant`: a moment. `local`: a wall-clock time in the report's zone. `decimal` is exact, `float` is a double.
 */
export type ValueType = "text" | "uuid" | "integer" | "decimal" | "float" | "boolean" | "instant" | "local"

/** Which rows a question may read: applied to each view where it is read, below joins and subqueries. */
export interface RowScope {
  /** Ids of sites; null for all. */
  readonly sites: ReadonlyArray<string> | null
  readonly range: TimeRange
}

/** From `from` up to, but not including, `until`. ISO 8601 in UTC with up to six fractional digits; null if open. */
export interface TimeRange {
  readonly from: string | null
  readonly until: string | null
}

/** The readings of a visit: `strict` splits at 30-minute gaps; `umami` groups by the stored visit id. */
export type Compat = "strict" | "umami"

export type Source =
  /** `used`: the columns that the question reads. */
  | { readonly kind: "view"; readonly view: ViewName; readonly scope: RowScope; readonly used: Set<string> }
  /** Values of one property or attribute, at most one row for each event or visitor. */
  | {
      readonly kind: "property"
      readonly of: "event" | "session"
      readonly key: string
      readonly scope: RowScope
    }
  /** Visits of the range, whatever the question filters. `used`: the columns that the question reads. */
  | {
      readonly kind: "visits"
      readonly compat: Compat
      readonly scope: RowScope
      readonly used: Set<string>
      readonly presence: Presence | null
      /** Only rows that belong to events in this part of the range are needed; null: all rows. */
      readonly part: TimeRange | null
    }
  | { readonly kind: "select"; readonly select: Select }
  /** The rows of several selects with the same columns. */
  | { readonly kind: "union"; readonly selects: ReadonlyArray<Select> }

/**
 * Splits visits by time: each is there once for each unit that it has a row in, with the time of its first row then as `present_at`, and
 * its pageviews then as `present_pageviews`. Everything else is the whole visit's.
 */
export interface Presence {
  readonly unit: TruncationUnit
  readonly weekStart: WeekStart
  readonly offsets: Offsets
}

/** A source under a name that is unique in the whole question. */
export interface Relation {
  readonly alias: string
  readonly source: Source
}

export interface Join {
  readonly kind: "left" | "inner"
  readonly relation: Relation
  readonly on: ReadonlyArray<Expression>
}

export interface OutputColumn {
  readonly alias: string
  readonly expression: Expression
  /** Whether only equality of the id matters, so that the engine's own key may stand for it. */
  readonly isIdentity?: boolean
}

export interface Ordering {
  readonly expression: Expression
  readonly descending: boolean
}

export interface Select {
  readonly from: Relation
  readonly joins: ReadonlyArray<Join>
  readonly where: ReadonlyArray<Expression>
  readonly columns: ReadonlyArray<OutputColumn>
  /** The number of leading columns to group by; null if rows are not grouped. */
  readonly groupBy: number | null
  readonly isDistinct: boolean
  readonly orderBy: ReadonlyArray<Ordering>
  readonly limit: number | null
  readonly offset: number
}

/** All rows of a relation, as the columns `c0`, `c1` … */
export const selectFrom = (from: Relation, expressions: ReadonlyArray<Expression>): Select => ({
  from,
  joins: [],
  where: [],
  columns: expressions.map((expression, index) => ({ alias: `c${index}`, expression })),
  groupBy: null,
  isDistinct: false,
  orderBy: [],
  limit: null,
  offset: 0
})

/** Units that times are truncated to. */
export const TRUNCATION_UNITS = ["minute", "hour", "day", "week", "month", "quarter", "year"] as const
export type TruncationUnit = (typeof TRUNCATION_UNITS)[number]

/** Parts of a time. */
export const EXTRACTION_UNITS = [
  "second-of-minute",
  "minute-of-hour",
  "hour-of-day",
  "day-of-week",
  "day-of-month",
  "day-of-year",
  "week-of-year",
  "month-of-year",
  "quarter-of-year",
  "year-of-era"
] as const
export type ExtractionUnit = (typeof EXTRACTION_UNITS)[number]

/** Monday is 0 days from the start of an ISO week, Sunday 1 day before the next. */
export type WeekStart = "monday" | "sunday"

/** A zone's offsets from UTC over a span of time, in order. Each applies until its `until`; the last has none. */
export type Offsets = ReadonlyArray<{ readonly until: string | null; readonly seconds: number }>

/** Functions of one row's values. Engines render each; the resolver has checked the arguments' types. */
export type FunctionName =
  | "eq"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "not-distinct"
  | "is-null"
  | "and"
  | "or"
  | "not"
  | "is-not-true"
  | "contains"
  | "starts-with"
  | "ends-with"
  | "contains-any-case"
  | "starts-with-any-case"
  | "ends-with-any-case"
  | "matches"
  | "matches-case"
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "modulo"
  | "negate"
  | "abs"
  | "round"
  | "round-to"
  | "floor"
  | "ceil"
  | "sqrt"
  | "power"
  | "log"
  | "exp"
  | "coalesce"
  | "case"
  | "concat"
  | "substring"
  | "length"
  | "trim"
  | "ltrim"
  | "rtrim"
  | "lower"
  | "upper"
  | "replace"
  | "regex-match-first"
  | "split-part"
  | "host"
  | "domain"
  | "subdomain"
  | "path"
  | "url-param"
  | "to-text"
  | "to-integer"
  | "to-float"
  | "text-to-decimal"
  /** Text, with numbers of four decimals, as they are stored, without zeros at the end: `3.0000` is `3`. */
  | "plain-numbers"
  | "seconds-between"
  | "months-between"
  | "add-seconds"
  | "add-months"
  | "bucket"

export type AggregateName = "count" | "distinct" | "sum" | "avg" | "min" | "max" | "stddev" | "var" | "percentile"

export type Expression =
  | { readonly kind: "column"; readonly relation: Relation; readonly column: string; readonly type: ValueType }
  | { readonly kind: "value"; readonly value: string | number | bigint | boolean; readonly type: ValueType }
  | { readonly kind: "null"; readonly type: ValueType }
  | {
      readonly kind: "call"
      readonly name: FunctionName
      readonly args: ReadonlyArray<Expression>
      readonly type: ValueType
    }
  /** Whether a value is one of a list of bound values. */
  | { readonly kind: "in"; readonly of: Expression; readonly values: ReadonlyArray<string | number | bigint | boolean> }
  /** An instant as wall-clock time. */
  | { readonly kind: "local"; readonly of: Expression; readonly offsets: Offsets; readonly type: "local" }
  /** A wall-clock time as an instant, with the offset that applied at `near`. */
  | {
      readonly kind: "instant"
      readonly of: Expression
      readonly near: Expression
      readonly offsets: Offsets
      readonly type: "instant"
    }
  /** The start of the unit that holds a wall-clock time. */
  | {
      readonly kind: "truncate"
      readonly of: Expression
      readonly unit: TruncationUnit
      readonly weekStart: WeekStart
      readonly type: "local"
    }
  | {
      readonly kind: "extract"
      readonly of: Expression
      readonly unit: ExtractionUnit
      readonly weekStart: WeekStart
      readonly type: "integer"
    }
  | {
      readonly kind: "aggregate"
      readonly name: AggregateName
      readonly of: Expression | null
      readonly where: Expression | null
      /** Of a percentile, from 0 to 1. */
      readonly fraction?: number
      readonly type: ValueType
    }
  /** The sum of a value over the rows up to this one. */
  | {
      readonly kind: "running-sum"
      readonly of: Expression
      readonly partition: ReadonlyArray<Expression>
      readonly order: Expression
      readonly type: ValueType
    }
  /** The value of the row that lies `count` units before this one; null if there is none. */
  | {
      readonly kind: "offset"
      readonly of: Expression
      readonly partition: ReadonlyArray<Expression>
      readonly order: Expression
      readonly count: number
      readonly unit: TruncationUnit
      readonly type: ValueType
    }
  /** Whether a value is among the rows of a select with one column. */
  | { readonly kind: "among"; readonly of: Expression; readonly select: Select }

export type Aggregate = Extract<Expression, { readonly kind: "aggregate" }>

export const typeOf = (expression: Expression): ValueType =>
  expression.kind === "in" || expression.kind === "among" ? "boolean" : expression.type

export const call = (name: FunctionName, type: ValueType, ...args: ReadonlyArray<Expression>): Expression => ({
  kind: "call",
  name,
  args,
  type
})

export const value = (type: ValueType, given: string | number | bigint | boolean): Expression => ({
  kind: "value",
  value: given,
  type
})

export const columnOf = (relation: Relation, column: string, type: ValueType): Expression => {
  if (relation.source.kind === "visits" || relation.source.kind === "view") relation.source.used.add(column)
  return { kind: "column", relation, column, type }
}
