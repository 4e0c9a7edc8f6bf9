import { Record } from "effect"
import type { FunctionName, ValueType } from "../plan/plan.ts"
import {
  COMMON_FUNCTIONS,
  decimalPattern,
  extractBy,
  intervalOf,
  monthsBetween,
  plainNumbers,
  storedNumberPattern,
  urlFunctions,
  valuesOf
} from "./common.ts"
import type { Dialect, Render } from "./Dialect.ts"
import { join, type Sql, sql, text } from "./Sql.ts"

/** Instants are UTC timestamps without a zone: arithmetic with zones costs half a microsecond per row. */
const CASTS: Readonly<Record<ValueType, string>> = {
  text: "VARCHAR",
  uuid: "UUID",
  integer: "BIGINT",
  decimal: "DECIMAL(38, 4)",
  float: "DOUBLE",
  boolean: "BOOLEAN",
  instant: "TIMESTAMP",
  local: "TIMESTAMP"
}

const micros = (of: Sql): Sql => sql`epoch_us(${of})`

/** A time moved by seconds. Adding an interval takes twice as long. */
const moved = (of: Sql, sign: "+" | "-", seconds: Sql): Sql =>
  seconds.parameters.length === 0 && seconds.texts[0] === "0"
    ? of
    : sql`make_timestamp(${micros(of)} ${sign} 1000000::BIGINT * (${seconds}))`

const day = (local: Sql): Sql => sql`CAST(${local} AS DATE)`

/** How far into its month a time is, in microseconds. */
const intoMonth = (of: Sql): Sql => sql`(${micros(of)} - ${micros(sql`CAST(date_trunc('month', ${of}) AS TIMESTAMP)`)})`

/** The first group of a match; null if there is none. */
const matched = (of: Sql, pattern: Sql): Sql =>
  sql`CASE WHEN regexp_matches(${of}, ${pattern}, 's') THEN regexp_extract(${of}, ${pattern}, 1, 's') END`

const asText = (of: Sql, type: ValueType | undefined): Sql => {
  if (type === "decimal") return sql`rtrim(rtrim(CAST(${of} AS VARCHAR), '0'), '.')`
  return type === "float" ? sql`regexp_replace(CAST(${of} AS VARCHAR), '\\.0$', '')` : sql`CAST(${of} AS VARCHAR)`
}

/** In characters. Short expressions are written as often as a function needs them, which is faster than a list of one. */
const REPEATED_LENGTH = 300

/**
 * A function of SQL that it repeats. Long SQL is computed once instead, as the only item of a list: nested functions would otherwise double with
 * each level, and planning them could take DuckDB all of its memory.
 */
const once = (args: ReadonlyArray<Sql>, use: (args: ReadonlyArray<Sql>) => Sql): Sql => {
  const isLong = ({ length }: Sql) => length > REPEATED_LENGTH
  if (!args.some(isLong)) return use(args)
  const computed = args.flatMap((arg, index) => (isLong(arg) ? [sql`'a${index}': ${arg}`] : []))
  const used = use(args.map((arg, index) => (isLong(arg) ? text(`one.a${index}`) : arg)))
  return sql`list_transform([{${join(computed, ", ")}}], lambda one: ${used})[1]`
}

const computedOnce =
  (render: Render): Render =>
  (args, types) =>
    once(args, (used) => render(used, types))

/** A divisor; null instead of 0. DuckDB's `nullif` is a macro that repeats its argument. */
const divisor = (of: Sql): Sql => once([of], ([y]) => sql`CASE WHEN ${y!} <> 0 THEN ${y!} END`)

/** One part of a text; null if it is empty or missing. DuckDB's `split_part` is a macro that repeats its arguments. */
const splitPart: Render = ([x, separator, index]) => {
  const found = sql`string_split(${x!}, ${separator!})[${index!}]`
  return sql`CASE WHEN ${found} <> '' THEN ${found} END`
}

/** Functions that repeat an argument, some of them by way of others. */
const REPEATING = {
  ...urlFunctions(matched),
  power: COMMON_FUNCTIONS.power,
  sqrt: COMMON_FUNCTIONS.sqrt,
  log: COMMON_FUNCTIONS.log,
  exp: COMMON_FUNCTIONS.exp,
  "split-part": splitPart,
  "regex-match-first": ([x, pattern]) => matched(x!, sql`'(' || ${pattern!} || ')'`),
  "text-to-decimal": ([x]) =>
    sql`CASE WHEN regexp_matches(trim(${x!}), ${decimalPattern}) THEN TRY_CAST(trim(${x!}) AS DECIMAL(19, 4)) END`,
  // Comparing costs a tenth of what the pattern does, and only text that begins like a number passes.
  "plain-numbers": ([x]) =>
    plainNumbers(x!, sql`${x!} BETWEEN '-' AND ':' AND regexp_matches(${x!}, ${storedNumberPattern})`),
  "months-between": ([first, last, unit]) =>
    sql`(CAST(${monthsBetween(intoMonth, first!, last!)} AS BIGINT) // ${unit!})`
} satisfies Partial<Record<FunctionName, Render>>

export const DUCKDB: Dialect = {
  name: "duckdb",
  parameterTypes: {
    text: "VARCHAR",
    integer: "BIGINT",
    decimal: "DECIMAL(38, 4)",
    boolean: "BOOLEAN",
    timestamp: "TIMESTAMP",
    site: "INTEGER"
  },
  functions: {
    ...COMMON_FUNCTIONS,
    ...Record.map(REPEATING, computedOnce),
    divide: ([x, y]) => sql`(${x!} / ${divisor(y!)})`,
    modulo: ([x, y], [type]) =>
      type === "integer"
        ? sql`(${x!} % ${divisor(y!)})`
        : once([x!, y!], ([of, by]) => sql`(${of!} - ${by!} * trunc(${of!} / ${divisor(by!)}))`),
    matches: ([x, pattern]) => sql`regexp_matches(${x!}, ${pattern!}, 'is')`,
    "matches-case": ([x, pattern]) => sql`regexp_matches(${x!}, ${pattern!}, 's')`,
    // As in Postgres, ß has no capital. DuckDB's own would be ẞ.
    upper: ([x]) =>
      sql`list_aggregate(list_transform(string_split(${x!}, 'ß'), lambda part: upper(part)), 'string_agg', 'ß')`,
    round: ([x]) => sql`CAST(round(${x!}) AS BIGINT)`,
    "round-to": ([x, digits]) => sql`round(${x!}, CAST(${digits!} AS INTEGER))`,
    "to-text": ([x], [type]) => asText(x!, type),
    "to-integer": ([x]) => sql`CAST(trunc(${x!}) AS BIGINT)`,
    "to-float": ([x]) => sql`CAST(${x!} AS DOUBLE)`,
    "seconds-between": ([first, last, unit]) => sql`((${micros(last!)} - ${micros(first!)}) // (1000000 * ${unit!}))`,
    // An interval holds at most 2^31 seconds, which is 68 years.
    "add-seconds": ([x, seconds]) => moved(x!, "+", seconds!),
    bucket: ([x, width]) => sql`(floor(CAST(${x!} AS DOUBLE) / ${width!}) * ${width!})`
  },
  ...valuesOf(CASTS),
  shift: (instant, seconds) => moved(instant, "+", seconds),
  unshift: (local, seconds) => moved(local, "-", seconds),
  lookUp: (of, bounds, numbers) =>
    sql`[${numbers.join(", ")}][1 + len(list_filter([${join(bounds, ", ")}], lambda bound: bound <= ${of}))]`,
  truncate: (local, unit, weekStart) => {
    if (unit === "day") return sql`CAST(${day(local)} AS TIMESTAMP)`
    return unit === "week" && weekStart === "sunday"
      ? sql`(CAST(date_trunc('week', ${local} + INTERVAL '1 day') AS TIMESTAMP) - INTERVAL '1 day')`
      : sql`CAST(date_trunc('${unit}', ${local}) AS TIMESTAMP)`
  },
  day,
  extract: (local, unit, weekStart) => once([local], ([at]) => extractBy("//")(at!, unit, weekStart)),
  ordered: (of) => of,
  percentile: (of, fraction, filter) => sql`quantile_cont(CAST(${of} AS DOUBLE), ${String(fraction)})${filter}`,
  average: (of) => sql`CAST(${of} AS DOUBLE)`,
  interval: intervalOf
}

/** For tables whose ids are text: in lower case and with dashes, so that they compare and sort as ids do. */
export const DUCKDB_WITH_TEXT_IDS: Dialect = { ...DUCKDB, ...valuesOf({ ...CASTS, uuid: "VARCHAR" }) }
