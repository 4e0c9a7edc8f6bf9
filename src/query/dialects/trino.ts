import { FqlError } from "../fql/FqlError.ts"
import type { ExtractionUnit, TruncationUnit, ValueType } from "../plan/plan.ts"
import {
  COMMON_FUNCTIONS,
  decimalPattern,
  monthsBetween,
  plainNumbers,
  storedNumberPattern,
  urlFunctions,
  valuesOf
} from "./common.ts"
import type { Dialect } from "./Dialect.ts"
import { bound, join, type Sql, sql, text } from "./Sql.ts"

/** Instants are UTC timestamps without a zone, as in DuckDB. Ids are text. */
const CASTS: Readonly<Record<ValueType, string>> = {
  text: "varchar",
  uuid: "varchar",
  integer: "bigint",
  decimal: "decimal(38, 4)",
  float: "double",
  boolean: "boolean",
  instant: "timestamp(6)",
  local: "timestamp(6)"
}

const VALUES = valuesOf(CASTS)

/** Parameters of type `timestamp` have a zone: the client sends them as literals with one. A cast of text needs a space before the time. */
const value: Dialect["value"] = (type, given) => {
  if (type === "instant") {
    return sql`CAST(${bound({ type: "timestamp", value: String(given) })} AS ${CASTS.instant})`
  }
  return VALUES.value(type, type === "local" ? String(given).replace("T", " ") : given)
}

/** Microseconds since 1970. A double has that many digits for every time that events can have. */
const micros = (of: Sql): Sql => sql`CAST(round(to_unixtime(${of}) * 1000000) AS bigint)`

const intoMonth = (of: Sql): Sql => sql`(${micros(of)} - ${micros(sql`date_trunc('month', ${of})`)})`

/** What is trimmed from text. */
const blanks = text("U&' \\0009\\000A\\000D'")

/** The first group of a match; null if there is none. A dot is any character, as in Postgres. */
const matched = (of: Sql, pattern: Sql): Sql => sql`regexp_extract(${of}, '(?s)' || ${pattern}, 1)`

const addSeconds = (time: Sql, seconds: Sql, operator: "+" | "-"): Sql =>
  sql`(${time} ${operator} (${seconds}) * INTERVAL '1' SECOND)`

const EXTRACTIONS: Readonly<Record<ExtractionUnit, string>> = {
  "second-of-minute": "second",
  "minute-of-hour": "minute",
  "hour-of-day": "hour",
  "day-of-week": "day_of_week",
  "day-of-month": "day",
  "day-of-year": "day_of_year",
  "week-of-year": "week",
  "month-of-year": "month",
  "quarter-of-year": "quarter",
  "year-of-era": "year"
}

const part = (unit: ExtractionUnit, of: Sql): Sql => sql`CAST(extract(${EXTRACTIONS[unit]} FROM ${of}) AS bigint)`

const INTERVALS: Readonly<Record<TruncationUnit, (count: number) => string>> = {
  minute: (count) => `INTERVAL '${count}' MINUTE`,
  hour: (count) => `INTERVAL '${count}' HOUR`,
  day: (count) => `INTERVAL '${count}' DAY`,
  week: (count) => `INTERVAL '${7 * count}' DAY`,
  month: (count) => `INTERVAL '${count}' MONTH`,
  quarter: (count) => `INTERVAL '${3 * count}' MONTH`,
  year: (count) => `INTERVAL '${count}' YEAR`
}

const url = urlFunctions(matched)

const asText = (of: Sql, type: ValueType | undefined): Sql => {
  if (type === "float") {
    throw new FqlError(
      "unsupported-on-backend",
      "",
      "Trino writes numbers with a fraction as text in a notation of its own. Round the number first, or leave it a number."
    )
  }
  const written = sql`CAST(${of} AS varchar)`
  return type === "decimal" ? sql`regexp_replace(${written}, '[.]?0+$', '')` : written
}

/** What `percentile_cont` gives, from all values in order: Trino's own percentiles are approximate. */
const interpolated = (fraction: number): string => {
  const position = `(DOUBLE '${fraction}' * (cardinality(v) - 1))`
  const at = (rounding: "floor" | "ceil") => `element_at(v, CAST(${rounding}(${position}) AS integer) + 1)`
  return `CASE WHEN cardinality(v) > 0 THEN ${at("floor")} + (${at("ceil")} - ${at("floor")}) * (${position} - floor(${position})) END`
}

/** Trino, over tables whose ids are text. */
export const TRINO: Dialect = {
  name: "trino",
  parameterTypes: {
    text: "varchar",
    integer: "bigint",
    decimal: "decimal(38, 4)",
    boolean: "boolean",
    timestamp: "timestamp(6) with time zone",
    site: "varchar"
  },
  functions: {
    ...COMMON_FUNCTIONS,
    ...url,
    subdomain: ([x]) => {
      const [host, domain] = [url.host([x!]), url.domain([x!])]
      return sql`nullif(trim(TRAILING '.' FROM substr(lower(${host}), 1, length(${host}) - length(${domain}))), '')`
    },
    "is-not-true": ([x]) => sql`(NOT coalesce(${x!}, FALSE))`,
    matches: ([x, pattern]) => sql`regexp_like(${x!}, '(?is)' || ${pattern!})`,
    "matches-case": ([x, pattern]) => sql`regexp_like(${x!}, '(?s)' || ${pattern!})`,
    modulo: ([x, y], [type]) =>
      type === "integer" ? sql`(${x!} % nullif(${y!}, 0))` : sql`(${x!} - ${y!} * truncate(${x!} / nullif(${y!}, 0)))`,
    round: ([x]) => sql`CAST(round(${x!}) AS bigint)`,
    "round-to": ([x, digits]) => sql`round(${x!}, CAST(${digits!} AS integer))`,
    concat: (args) =>
      sql`(${join(
        args.map((one) => sql`coalesce(${one}, '')`),
        " || "
      )})`,
    trim: ([x]) => sql`trim(BOTH ${blanks} FROM ${x!})`,
    ltrim: ([x]) => sql`trim(LEADING ${blanks} FROM ${x!})`,
    rtrim: ([x]) => sql`trim(TRAILING ${blanks} FROM ${x!})`,
    "regex-match-first": ([x, pattern]) => sql`regexp_extract(${x!}, '(?s)' || ${pattern!})`,
    "to-text": ([x], [type]) => asText(x!, type),
    "to-integer": ([x]) => sql`CAST(truncate(${x!}) AS bigint)`,
    "to-float": ([x]) => sql`CAST(${x!} AS double)`,
    "text-to-decimal": ([x]) => {
      const trimmed = sql`trim(BOTH ' ' FROM ${x!})`
      return sql`CASE WHEN regexp_like(${trimmed}, ${decimalPattern}) THEN TRY_CAST(${trimmed} AS decimal(19, 4)) END`
    },
    "plain-numbers": ([x]) => plainNumbers(x!, sql`regexp_like(${x!}, ${storedNumberPattern})`),
    "seconds-between": ([first, last, unit]) => sql`((${micros(last!)} - ${micros(first!)}) / (1000000 * ${unit!}))`,
    "months-between": ([first, last, unit]) =>
      sql`(CAST(${monthsBetween(intoMonth, first!, last!)} AS bigint) / ${unit!})`,
    "add-seconds": ([x, seconds]) => addSeconds(x!, seconds!, "+"),
    "add-months": ([x, months]) => sql`(${x!} + ${months!} * INTERVAL '1' MONTH)`,
    bucket: ([x, width]) => sql`(floor(CAST(${x!} AS double) / ${width!}) * ${width!})`
  },
  ...VALUES,
  value,
  isOneOf: (of, type, given) =>
    sql`(${of} IN (${join(
      given.map((one) => value(type, one)),
      ", "
    )}))`,
  shift: (instant, seconds) => addSeconds(instant, seconds, "+"),
  unshift: (local, seconds) => addSeconds(local, seconds, "-"),
  lookUp: (of, bounds, numbers) =>
    sql`element_at(ARRAY[${numbers.join(", ")}], 1 + cardinality(filter(ARRAY[${join(bounds, ", ")}], bound -> bound <= ${of})))`,
  truncate: (local, unit, weekStart) =>
    unit === "week" && weekStart === "sunday"
      ? sql`(date_trunc('week', ${local} + INTERVAL '1' DAY) - INTERVAL '1' DAY)`
      : sql`date_trunc('${unit}', ${local})`,
  extract: (local, unit, weekStart) => {
    if (weekStart === "sunday" && unit === "day-of-week") return sql`(${part(unit, local)} % 7 + 1)`
    if (weekStart === "sunday" && unit === "week-of-year") {
      return sql`((${part("day-of-year", local)} - 1 + ${part("day-of-week", sql`date_trunc('year', ${local})`)} % 7) / 7 + 1)`
    }
    return part(unit, local)
  },
  ordered: (of) => of,
  percentile: (of, fraction, filter) =>
    sql`element_at(transform(ARRAY[array_sort(filter(array_agg(CAST(${of} AS double))${filter}, v -> v IS NOT NULL))], v -> ${text(interpolated(fraction))}), 1)`,
  average: (of) => sql`CAST(${of} AS double)`,
  interval: (unit, count) => INTERVALS[unit](count)
}
