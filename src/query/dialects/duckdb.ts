import type { ValueType } from "../plan/plan.ts"
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
import type { Dialect } from "./Dialect.ts"
import { join, type Sql, sql } from "./Sql.ts"

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
    ...urlFunctions(matched),
    matches: ([x, pattern]) => sql`regexp_matches(${x!}, ${pattern!}, 'is')`,
    "matches-case": ([x, pattern]) => sql`regexp_matches(${x!}, ${pattern!}, 's')`,
    // As in Postgres, ß has no capital. DuckDB's own would be ẞ.
    upper: ([x]) => sql`array_to_string(list_transform(string_split(${x!}, 'ß'), lambda part: upper(part)), 'ß')`,
    round: ([x]) => sql`CAST(round(${x!}) AS BIGINT)`,
    "round-to": ([x, digits]) => sql`round(${x!}, CAST(${digits!} AS INTEGER))`,
    "regex-match-first": ([x, pattern]) => matched(x!, sql`'(' || ${pattern!} || ')'`),
    "to-text": ([x], [type]) => asText(x!, type),
    "to-integer": ([x]) => sql`CAST(trunc(${x!}) AS BIGINT)`,
    "to-float": ([x]) => sql`CAST(${x!} AS DOUBLE)`,
    "text-to-decimal": ([x]) =>
      sql`CASE WHEN regexp_matches(trim(${x!}), ${decimalPattern}) THEN TRY_CAST(trim(${x!}) AS DECIMAL(19, 4)) END`,
    // Comparing costs a tenth of what the pattern does, and only text that begins like a number passes.
    "plain-numbers": ([x]) =>
      plainNumbers(x!, sql`${x!} BETWEEN '-' AND ':' AND regexp_matches(${x!}, ${storedNumberPattern})`),
    "seconds-between": ([first, last, unit]) => sql`((${micros(last!)} - ${micros(first!)}) // (1000000 * ${unit!}))`,
    "months-between": ([first, last, unit]) =>
      sql`(CAST(${monthsBetween(intoMonth, first!, last!)} AS BIGINT) // ${unit!})`,
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
  extract: extractBy("//"),
  ordered: (of) => of,
  percentile: (of, fraction, filter) => sql`quantile_cont(CAST(${of} AS DOUBLE), ${String(fraction)})${filter}`,
  average: (of) => sql`CAST(${of} AS DOUBLE)`,
  interval: intervalOf
}

/** For tables whose ids are text: in lower case and with dashes, so that they compare and sort as ids do. */
export const DUCKDB_WITH_TEXT_IDS: Dialect = { ...DUCKDB, ...valuesOf({ ...CASTS, uuid: "VARCHAR" }) }
