import type { ValueType } from "../plan/plan.ts"
import {
  COMMON_FUNCTIONS,
  decimalPattern,
  extractBy,
  intervalOf,
  monthsBetween,
  plainNumbers,
  secondsInterval,
  storedNumberPattern,
  urlFunctions,
  valuesOf,
  yearOf
} from "./common.ts"
import type { Dialect } from "./Dialect.ts"
import { join, type Sql, sql } from "./Sql.ts"

const CASTS: Readonly<Record<ValueType, string>> = {
  text: "text",
  uuid: "uuid",
  integer: "bigint",
  decimal: "numeric",
  float: "double precision",
  boolean: "boolean",
  instant: "timestamptz",
  local: "timestamp"
}

/** How far into its month a time is, in seconds. */
const intoMonth = (of: Sql): Sql => sql`extract(epoch FROM ${of} - date_trunc('month', ${of}))`

/** Postgres has no year 0: the one before 1 is -1. */
const isoYear = (of: Sql): Sql => sql`(${yearOf(of)} + CASE WHEN ${of} < TIMESTAMP '0001-01-01' THEN 1 ELSE 0 END)`

const matched = (of: Sql, pattern: Sql): Sql => sql`(regexp_match(${of}, ${pattern}))[1]`
const epoch = (of: Sql): Sql => sql`CAST(extract(epoch FROM ${of}) * 1000000 AS bigint)`

/**
 * A float rounded to a whole number, halves away from zero, as other engines do: Postgres itself would round halves to even, and would take
 * 15 digits of a float for the whole of it.
 */
const roundedFloat = (float: Sql): Sql => sql`round(CAST(CAST(${float} AS text) AS numeric))`

/** PostgreSQL 15 or later. */
export const POSTGRES: Dialect = {
  name: "postgres",
  parameterTypes: {
    text: "text",
    integer: "bigint",
    decimal: "numeric",
    boolean: "boolean",
    timestamp: "timestamptz",
    site: "uuid"
  },
  functions: {
    ...COMMON_FUNCTIONS,
    ...urlFunctions(matched),
    matches: ([x, pattern]) => sql`(${x!} ~* ${pattern!})`,
    "matches-case": ([x, pattern]) => sql`(${x!} ~ ${pattern!})`,
    round: ([x]) => sql`CAST(${roundedFloat(x!)} AS bigint)`,
    "round-to": ([x, digits]) => {
      const scale = sql`power(CAST(10 AS double precision), CAST(${digits!} AS double precision))`
      return sql`(CAST(${roundedFloat(sql`${x!} * ${scale}`)} AS double precision) / ${scale})`
    },
    substring: ([x, start, length]) =>
      length === undefined
        ? sql`substr(${x!}, CAST(${start!} AS integer))`
        : sql`substr(${x!}, CAST(${start!} AS integer), CAST(${length} AS integer))`,
    "split-part": ([x, separator, index]) =>
      sql`nullif(split_part(${x!}, ${separator!}, CAST(${index!} AS integer)), '')`,
    "regex-match-first": ([x, pattern]) => sql`(regexp_match(${x!}, '(' || ${pattern!} || ')'))[1]`,
    "to-text": ([x], [type]) => (type === "decimal" ? sql`CAST(trim_scale(${x!}) AS text)` : sql`CAST(${x!} AS text)`),
    "to-integer": ([x]) => sql`CAST(trunc(CAST(${x!} AS numeric)) AS bigint)`,
    "to-float": ([x]) => sql`CAST(${x!} AS double precision)`,
    "text-to-decimal": ([x]) =>
      sql`CASE WHEN trim(${x!}) ~ ${decimalPattern} THEN CAST(trim(${x!}) AS numeric(19, 4)) END`,
    "plain-numbers": ([x]) => plainNumbers(x!, sql`${x!} LIKE '%.____' AND ${x!} ~ ${storedNumberPattern}`),
    "seconds-between": ([first, last, unit]) => sql`((${epoch(last!)} - ${epoch(first!)}) / (1000000 * ${unit!}))`,
    "months-between": ([first, last, unit]) =>
      sql`(CAST(${monthsBetween(intoMonth, first!, last!, isoYear)} AS bigint) / ${unit!})`,
    bucket: ([x, width]) => sql`(floor(CAST(${x!} AS double precision) / ${width!}) * ${width!})`
  },
  ...valuesOf(CASTS),
  shift: (instant, seconds) => sql`((${instant} AT TIME ZONE 'UTC') + ${secondsInterval(sql`(${seconds})`)})`,
  unshift: (local, seconds) => sql`((${local} - ${secondsInterval(sql`(${seconds})`)}) AT TIME ZONE 'UTC')`,
  lookUp: (of, bounds, numbers) =>
    sql`(ARRAY[${numbers.join(", ")}])[width_bucket(${of}, ARRAY[${join(bounds, ", ")}]) + 1]`,
  truncate: (local, unit, weekStart) =>
    unit === "week" && weekStart === "sunday"
      ? sql`(date_trunc('week', ${local} + INTERVAL '1 day') - INTERVAL '1 day')`
      : sql`date_trunc('${unit}', ${local})`,
  extract: extractBy("/", isoYear),
  ordered: (of, type) => (type === "text" ? sql`${of} COLLATE "C"` : of),
  percentile: (of, fraction, filter) =>
    sql`percentile_cont(${String(fraction)}) WITHIN GROUP (ORDER BY CAST(${of} AS double precision))${filter}`,
  average: (of) => sql`CAST(${of} AS double precision)`,
  interval: intervalOf
}
