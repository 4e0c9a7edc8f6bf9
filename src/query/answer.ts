import { Effect } from "effect"
import type { ShownValue } from "../domain/FieldStats.ts"
import type { PropertyType } from "../domain/propertyType.ts"
import type { Query as EngineQuery, QueryEngine, QueryError, QueryRows, QueryValue } from "../ports/QueryEngine.ts"
import { type Comparison, comparisonOf, type ShownRows } from "./compare/comparison.ts"
import { type CompiledQuestion, compileQuestion } from "./compile.ts"
import { fillBuckets, partialBuckets } from "./fill.ts"
import type { FqlError } from "./fql/FqlError.ts"
import type { Query } from "./fql/schema.ts"
import type { SemanticType } from "./metadata/views.ts"
import { foundNothing } from "./nothing.ts"
import type { QuestionContext } from "./plan/context.ts"
import type { ValueType } from "./plan/plan.ts"
import { isByInstant, withOffset } from "./plan/time.ts"
import type { PlannedColumn, PlannedQuestion } from "./resolve/query.ts"
import type { Warning } from "./resolve/SelectScope.ts"
import { unknownEventWarnings } from "./unknownEvents.ts"
import { unknownPropertyWarnings } from "./unknownProperties.ts"

/** A value of an answer. Whole numbers beyond 2^53 and decimals that a double would round are strings. */
export type Cell = null | string | number | boolean

export interface AnswerColumn {
  readonly name: string
  readonly display_name: string
  readonly base_type: ValueType
  readonly semantic_type: SemanticType | null
  readonly source: PlannedColumn["source"]
  readonly unit: string | null
  readonly temporal_unit: string | null
  /** What is shown in the place of values; null: the values themselves. An answer has those of the values in its rows. */
  readonly labels: ReadonlyArray<readonly [ShownValue, string]> | null
  readonly field_ref: unknown
}

/** What a question returns. */
export interface Answer {
  readonly data: {
    readonly cols: ReadonlyArray<AnswerColumn>
    readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
    readonly results_timezone: string
    /** The day that is 1 among days of the week. */
    readonly results_week_start: PlannedQuestion["weekStart"]
    readonly fql: Query
  }
  readonly row_count: number
  /** Whether there are more rows than shown. */
  readonly truncated: boolean
  readonly limit_applied: number
  /** Whether the last row sums up the groups beyond the question's limit. */
  readonly has_other: boolean
  /** Buckets of the first column that are not over, or that the range cuts. */
  readonly partial_buckets: ReadonlyArray<string>
  /** The engine that answered. */
  readonly route: string
  /** Up to when the data is complete: ISO 8601 in UTC. */
  readonly as_of: string
  readonly warnings: ReadonlyArray<Warning>
  /** Null: nothing is compared. */
  readonly comparison: Comparison | null
  /** In ms. */
  readonly running_time: number
}

/** Compiles a question, runs it and shapes the answer. */
export const askQuestion = Effect.fnUntraced(function* (
  engine: QueryEngine["Service"],
  context: QuestionContext,
  json: unknown
): Effect.fn.Return<Answer, FqlError | QueryError> {
  const startedAt = performance.now()
  const compiled = yield* Effect.fromResult(compileQuestion(context, json, engine))
  const { time } = yield* engine.asOf
  const result = yield* runQuestion(engine, compiled)
  const other = compiled.other === null ? null : (yield* engine.run(shownQuery(compiled.other))).rows
  return shapeAnswer(compiled, { ...result, other }, { now: context.now, route: engine.model, asOf: time, startedAt })
})

/** What an engine's statements for a question return. */
export interface QuestionResult {
  readonly rows: QueryRows
  /** How many values each of the question's casts ignores. */
  readonly uncastable: ReadonlyArray<number>
  /** The currencies of each of the question's amounts, in order. */
  readonly currencies: ReadonlyArray<ReadonlyArray<string>>
  /** About events that the question names and that there are none of. */
  readonly unknownEvents: ReadonlyArray<Warning>
}

/**
 * Runs a question: the statement for its rows, the one for the values that it ignores, if it reads declared types, the one for the currencies
 * of its amounts, and the one for the names of events, if it names some and finds nothing.
 */
export const runQuestion = Effect.fnUntraced(function* (
  engine: Pick<QueryEngine["Service"], "run">,
  compiled: CompiledQuestion
): Effect.fn.Return<QuestionResult, QueryError> {
  const { rows } = yield* engine.run(shownQuery(compiled))
  const unknownEvents = yield* unknownEventWarnings(engine, compiled.planned, rows, compiled.eventNames)
  const { amounts, casts } = compiled.planned
  const rowsOf = (query: EngineQuery | null) =>
    query === null ? Effect.succeed([]) : Effect.map(engine.run(query), (found) => found.rows)
  const counts = new Map((yield* rowsOf(compiled.casts)).map(([place, count]) => [Number(place), Number(count)]))
  const codes = yield* rowsOf(compiled.currencies)
  return {
    rows,
    uncastable: casts.map((_, place) => counts.get(place) ?? 0),
    currencies: amounts.map((_, place) =>
      codes.flatMap(([at, code]) => (Number(at) === place ? [String(code)] : [])).toSorted()
    ),
    unknownEvents
  }
})

/** What one value, and what several, should have been. */
const TYPE_NAMES: Readonly<Record<PropertyType, readonly [one: string, several: string]>> = {
  text: ["text", "text"],
  number: ["a number", "numbers"],
  boolean: ["`true` or `false`", "`true` or `false`"],
  date: ["a date", "dates"]
}

/** Values that are not of the type that was declared for their property. */
const uncastableWarnings = (
  { planned: { casts } }: CompiledQuestion,
  counts: ReadonlyArray<number>
): ReadonlyArray<Warning> =>
  casts.flatMap(({ event, key, type }, place) => {
    const count = counts[place] ?? 0
    if (count === 0) return []
    const property = event === null ? `\`${key}\`` : `\`${key}\` of \`${event}\``
    const [one, several] = TYPE_NAMES[type]
    const detail =
      count === 1
        ? `1 value of ${property} in the range is not ${one} and was ignored.`
        : `${count} values of ${property} in the range are not ${several} and were ignored.`
    return [{ code: "uncastable", detail, key, count }]
  })

/** More currencies than these are not named. */
const MAX_NAMED = 3

/** Amounts of several currencies that one number is computed from. */
const currencyWarnings = (currencies: QuestionResult["currencies"]): ReadonlyArray<Warning> => {
  const codes = [...new Set(currencies.filter((one) => one.length > 1).flat())].toSorted()
  if (codes.length === 0) return []
  const named = codes.length > MAX_NAMED ? [...codes.slice(0, MAX_NAMED), "others"] : codes
  const list = `${named.slice(0, -1).join(", ")} and ${named.at(-1)}`
  const detail = `The amounts are in ${list}, and are never converted. Filter by \`currency\`, or group by it.`
  return [{ code: "several-currencies", detail }]
}

/** The statement for the rows that are shown, and for one more that says whether there are more. */
export const shownQuery = ({ query, shown }: CompiledQuestion): EngineQuery => ({ ...query, maxRows: shown + 1 })

export interface Circumstances {
  readonly now: Temporal.Instant
  readonly route: string
  readonly asOf: string
  /** By `performance.now()`. */
  readonly startedAt: number
}

/** What is to be said about what a question found, and did not find. */
const warningsOfRows = (
  compiled: CompiledQuestion,
  { currencies, rows, uncastable, unknownEvents }: QuestionResult
): ReadonlyArray<Warning> => {
  const ignored = uncastableWarnings(compiled, uncastable)
  // What an event that does not exist lacks goes without saying, and a property whose values are ignored has some.
  const unknown = unknownEvents.length > 0 ? [] : unknownPropertyWarnings(compiled.planned, rows)
  const hasIgnored = (key: string | undefined) => ignored.some((one) => one.key === key)
  return [
    ...ignored,
    ...currencyWarnings(currencies),
    ...unknownEvents,
    ...unknown.filter(({ key }) => !hasIgnored(key)),
    ...(foundNothing(compiled.planned, rows) ? compiled.planned.warningsOfNothing : [])
  ]
}

/** An engine's rows as what a question returns. `other`: those of the period that it is compared with. */
export const shapeAnswer = (
  compiled: CompiledQuestion,
  { other, ...result }: QuestionResult & { readonly other: QueryRows | null },
  { asOf, now, route, startedAt }: Circumstances
): Answer => {
  const { fql, planned, shown } = compiled
  const own = shownRows(compiled, result.rows, now)
  const cols = withCurrencies(compiled, result)
  const comparison =
    other === null ? null : comparisonOf(compiled, { cols, ...own }, shownRows(compiled.other!, other, now), now)
  const allRows = comparison === null ? own.rows : [...own.rows, ...comparison.unmatched]
  return {
    data: {
      cols: cols.map((column, index) => withLabelsOf(column, allRows, index)),
      rows: own.rows,
      results_timezone: planned.zone,
      results_week_start: planned.weekStart,
      fql
    },
    row_count: own.rows.length,
    truncated: own.truncated,
    limit_applied: shown,
    has_other: !own.truncated && hasOther(fql, own.rows.length),
    partial_buckets: partialBuckets(compiled, own.rows, now),
    route,
    as_of: asOf,
    warnings: [...planned.warnings, ...warningsOfRows(compiled, result)],
    comparison,
    running_time: Math.round(performance.now() - startedAt)
  }
}

/** As many of an engine's rows as are shown, with the buckets that have none. */
export const shownRows = (compiled: CompiledQuestion, rows: QueryRows, now: Temporal.Instant): ShownRows => {
  const cells = cellsOf(compiled, rows.slice(0, compiled.shown))
  const truncated = rows.length > compiled.shown
  return { rows: truncated ? cells : filledRows(compiled, cells, now), truncated }
}

/** Only the row that sums up the others can exceed the question's limit. */
const hasOther = ({ limit, settings }: Query, rows: number): boolean =>
  settings?.other === true && limit !== undefined && rows > limit

/** With the buckets that have no rows, unless the question does not want them. */
export const filledRows = (
  compiled: CompiledQuestion,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  now: Temporal.Instant
): ReadonlyArray<ReadonlyArray<Cell>> =>
  compiled.fql.settings?.fill === false ? rows : fillBuckets(compiled, rows, now)

/** An engine's values as an answer's. */
export const cellsOf = (
  { planned: { columns, zone } }: CompiledQuestion,
  rows: QueryRows
): ReadonlyArray<ReadonlyArray<Cell>> =>
  rows.map((row) => row.map((value, index) => cellOf(value, columns[index]!, zone)))

export const answerColumns = ({ planned }: CompiledQuestion): ReadonlyArray<AnswerColumn> =>
  planned.columns.map(answerColumn)

/** A column with the labels of the values that it has. */
const withLabelsOf = (column: AnswerColumn, rows: ReadonlyArray<ReadonlyArray<Cell>>, index: number): AnswerColumn => {
  if (column.labels === null) return column
  const values = new Set(rows.map((row) => row[index]))
  return { ...column, labels: column.labels.filter(([value]) => values.has(value)) }
}

/** The answer's columns, of which those with amounts of one currency have it as their unit. */
const withCurrencies = (compiled: CompiledQuestion, { currencies }: QuestionResult): ReadonlyArray<AnswerColumn> => {
  const { amounts, columns } = compiled.planned
  const first = columns.findIndex(({ source }) => source === "aggregation")
  const found = (index: number) =>
    new Set(
      amounts.flatMap(({ aggregations }, place) => (aggregations.includes(index - first) ? currencies[place]! : []))
    )
  return answerColumns(compiled).map((column, index) => {
    const [code, ...more] = found(index)
    return code === undefined || more.length > 0 ? column : { ...column, unit: code }
  })
}

const answerColumn = (column: PlannedColumn): AnswerColumn => ({
  name: column.name,
  display_name: column.display,
  base_type: column.type,
  semantic_type: column.semantic,
  source: column.source,
  unit: column.unit,
  temporal_unit: column.temporalUnit,
  labels: column.labels === null ? null : [...column.labels],
  field_ref: column.fieldRef
})

/** A double has 15 digits for sure. */
const EXACT_DIGITS = 15

const cellOf = (value: QueryValue, { temporalUnit, type }: PlannedColumn, zone: string): Cell => {
  if (value === null) return null
  switch (type) {
    case "integer":
      return exactNumber(String(value))
    case "decimal":
      return exactNumber(trimZeros(String(value)))
    case "float":
      return Number.isFinite(Number(value)) ? Number(value) : null
    case "boolean":
      return value === true
    case "instant":
      return instantCell(String(value), zone, temporalUnit !== null && isByInstant(temporalUnit))
    case "local":
      return String(value).replace(/\.\d+$/, "")
    default:
      return String(value)
  }
}

const trimZeros = (digits: string): string => (digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits)

const exactNumber = (digits: string): number | string =>
  digits.replaceAll(/\D/g, "").length <= EXACT_DIGITS
    ? Number(digits)
    : Number.isSafeInteger(Number(digits))
      ? Number(digits)
      : digits

/** A moment in the report's zone, with its offset. Starts of hours and minutes have no fraction. */
const instantCell = (iso: string, zone: string, isStart: boolean): string => {
  const at = Temporal.Instant.from(iso.endsWith("Z") ? iso : `${iso}Z`).toZonedDateTimeISO(zone)
  return isStart ? withOffset(at) : at.toString({ smallestUnit: "millisecond", timeZoneName: "never" })
}
