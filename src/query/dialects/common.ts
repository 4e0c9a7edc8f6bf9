import type { QueryParameter } from "../../ports/QueryEngine.ts"
import type { ExtractionUnit, FunctionName, TruncationUnit, ValueType } from "../plan/plan.ts"
import type { Dialect, Render } from "./Dialect.ts"
import { bound, join, type Sql, sql, text } from "./Sql.ts"

/** The parameter that carries a value of a type. Ids travel as text; wall-clock times without a zone. */
const parameterOf = (type: ValueType, value: string | number | bigint | boolean): QueryParameter => {
  switch (type) {
    case "integer":
      return { type: "integer", value: value as number | bigint }
    case "boolean":
      return { type: "boolean", value: value as boolean }
    case "instant":
      return { type: "timestamp", value: value as string }
    default:
      return { type: "text", value: String(value) }
  }
}

const infix =
  (operator: string): Render =>
  (args) =>
    sql`(${join(args, ` ${operator} `)})`
const prefix =
  (name: string): Render =>
  (args) =>
    sql`${name}(${join(args, ", ")})`

/** Text that stands for itself in a LIKE pattern whose escape is `!`. */
const likeText = (of: Sql): Sql => sql`replace(replace(replace(${of}, '!', '!!'), '%', '!%'), '_', '!_')`

/** Guards a function from arguments that it fails on: they give null. */
const guarded =
  (name: string, condition: (x: Sql) => Sql): Render =>
  ([x]) =>
    sql`CASE WHEN ${condition(x!)} THEN ${name}(${x!}) END`

/** Seconds as an interval. */
export const secondsInterval = (seconds: Sql): Sql => sql`(${seconds} * INTERVAL '1 second')`

/** What is trimmed from text. */
const blanks = text("E' \\t\\n\\r'")

/** The functions that Postgres and DuckDB write alike. */
export const COMMON_FUNCTIONS = {
  eq: infix("="),
  lt: infix("<"),
  le: infix("<="),
  gt: infix(">"),
  ge: infix(">="),
  "not-distinct": infix("IS NOT DISTINCT FROM"),
  "is-null": ([x]) => sql`(${x!} IS NULL)`,
  and: infix("AND"),
  or: infix("OR"),
  not: ([x]) => sql`(NOT ${x!})`,
  "is-not-true": ([x]) => sql`(${x!} IS NOT TRUE)`,
  contains: ([x, part]) => sql`(${x!} LIKE '%' || ${likeText(part!)} || '%' ESCAPE '!')`,
  "starts-with": ([x, part]) => sql`(${x!} LIKE ${likeText(part!)} || '%' ESCAPE '!')`,
  "ends-with": ([x, part]) => sql`(${x!} LIKE '%' || ${likeText(part!)} ESCAPE '!')`,
  "contains-any-case": ([x, part]) =>
    sql`(lower(${x!}) LIKE '%' || ${likeText(sql`lower(${part!})`)} || '%' ESCAPE '!')`,
  "starts-with-any-case": ([x, part]) => sql`(lower(${x!}) LIKE ${likeText(sql`lower(${part!})`)} || '%' ESCAPE '!')`,
  "ends-with-any-case": ([x, part]) => sql`(lower(${x!}) LIKE '%' || ${likeText(sql`lower(${part!})`)} ESCAPE '!')`,
  add: infix("+"),
  subtract: infix("-"),
  multiply: infix("*"),
  divide: ([x, y]) => sql`(${x!} / nullif(${y!}, 0))`,
  modulo: ([x, y], [type]) =>
    type === "integer" ? sql`(${x!} % nullif(${y!}, 0))` : sql`(${x!} - ${y!} * trunc(${x!} / nullif(${y!}, 0)))`,
  floor: ([x]) => sql`CAST(floor(${x!}) AS bigint)`,
  ceil: ([x]) => sql`CAST(ceil(${x!}) AS bigint)`,
  negate: ([x]) => sql`(-${x!})`,
  abs: prefix("abs"),
  // Beyond e^700 and e^-700, a double is infinite or 0.
  power: ([x, y]) =>
    sql`CASE WHEN ${x!} = 0 AND ${y!} > 0 THEN 0 WHEN ${x!} > 0 OR (${x!} < 0 AND ${y!} = floor(${y!})) THEN CASE WHEN abs(${y!} * ln(abs(${x!}))) <= 700 THEN power(${x!}, ${y!}) END END`,
  sqrt: guarded("sqrt", (x) => sql`${x} >= 0`),
  log: guarded("log10", (x) => sql`${x} > 0`),
  exp: guarded("exp", (x) => sql`${x} BETWEEN -700 AND 700`),
  coalesce: prefix("coalesce"),
  case: (args) => {
    const branches: Array<Sql> = []
    for (let index = 0; index + 1 < args.length; index += 2)
      branches.push(sql`WHEN ${args[index]!} THEN ${args[index + 1]!}`)
    return sql`CASE ${join(branches, " ")} ELSE ${args.at(-1)!} END`
  },
  // Null is nothing to add.
  concat: prefix("concat"),
  substring: ([x, start, length]) =>
    length === undefined ? sql`substr(${x!}, ${start!})` : sql`substr(${x!}, ${start!}, ${length})`,
  length: ([x]) => sql`CAST(length(${x!}) AS bigint)`,
  trim: ([x]) => sql`trim(${x!}, ${blanks})`,
  ltrim: ([x]) => sql`ltrim(${x!}, ${blanks})`,
  rtrim: ([x]) => sql`rtrim(${x!}, ${blanks})`,
  lower: prefix("lower"),
  upper: prefix("upper"),
  replace: prefix("replace"),
  "split-part": ([x, separator, index]) => sql`nullif(split_part(${x!}, ${separator!}, ${index!}), '')`,
  "add-seconds": ([x, seconds]) => sql`(${x!} + ${secondsInterval(seconds!)})`,
  "add-months": ([x, months]) => sql`(${x!} + ${months!} * INTERVAL '1 month')`
} satisfies Partial<Record<FunctionName, Render>>

/** The host of a URL or of a host name, without port and user. */
const hostPattern = text("'^(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?(?:[^/?#@]*@)?([^/:?#@]+)'")
/** The path of a URL, or text that begins with a slash. */
const pathPattern = text("'^(?:[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*)?(/[^?#]*)'")
/** The registered domain of a host: its last two labels, or three if the second is one under which registries sell names. */
const domainPattern = text(
  "'((?:[^.]+\\.)(?:(?:ac|co|com|edu|go|gov|ne|net|or|org)\\.[a-zA-Z]{2}|[a-zA-Z][a-zA-Z0-9-]*))$'"
)

/** A number of digits that a decimal(19, 4) holds. */
export const decimalPattern = text("'^[+-]?(?:[0-9]{1,15}(?:\\.[0-9]{0,15})?|\\.[0-9]{1,15})$'")

/** Text of a number as it is stored, with four decimals. */
export const storedNumberPattern = text("'^-?[0-9]+[.][0-9]{4}$'")

/** Text in which stored numbers lose the zeros at their end. */
export const plainNumbers = (of: Sql, isStoredNumber: Sql): Sql =>
  sql`CASE WHEN ${isStoredNumber} THEN trim(TRAILING '.' FROM trim(TRAILING '0' FROM ${of})) ELSE ${of} END`

/** Parts of a time as the engines name them. */
const EXTRACTIONS: Readonly<Record<Exclude<ExtractionUnit, "year-of-era">, string>> = {
  "second-of-minute": "second",
  "minute-of-hour": "minute",
  "hour-of-day": "hour",
  "day-of-week": "isodow",
  "day-of-month": "day",
  "day-of-year": "doy",
  "week-of-year": "week",
  "month-of-year": "month",
  "quarter-of-year": "quarter"
}

const INTERVALS: Readonly<Record<TruncationUnit, (count: number) => string>> = {
  minute: (count) => `${count} minutes`,
  hour: (count) => `${count} hours`,
  day: (count) => `${count} days`,
  week: (count) => `${7 * count} days`,
  month: (count) => `${count} months`,
  quarter: (count) => `${3 * count} months`,
  year: (count) => `${12 * count} months`
}

/** The span of so many units as an interval. */
export const intervalOf = (unit: TruncationUnit, count: number): string => `INTERVAL '${INTERVALS[unit](count)}'`

/** Functions of URLs, from the first group of a match. */
export const urlFunctions = (matched: (of: Sql, pattern: Sql) => Sql) => {
  const host = (of: Sql): Sql => matched(of, hostPattern)
  const domain = (of: Sql): Sql => sql`lower(${matched(host(of), domainPattern)})`
  return {
    host: ([x]) => host(x!),
    domain: ([x]) => domain(x!),
    subdomain: ([x]) =>
      sql`nullif(rtrim(left(lower(${host(x!)}), length(${host(x!)}) - length(${domain(x!)})), '.'), '')`,
    path: ([x]) => matched(x!, pathPattern),
    "url-param": ([x, pattern]) => matched(x!, pattern!)
  } satisfies Partial<Record<FunctionName, Render>>
}

/** A part of a time, as a whole number. */
const part = (name: string, of: Sql): Sql => sql`CAST(extract(${name} FROM ${of}) AS bigint)`

/** The year of a time, where the year before 1 is 0, as in ISO 8601. */
export const yearOf = (of: Sql): Sql => part("year", of)

/** A part of a time; `quotient` is the operator that divides whole numbers, and `year` the year as in ISO 8601. */
export const extractBy =
  (quotient: "/" | "//", year = yearOf): Dialect["extract"] =>
  (local, unit, weekStart) => {
    if (weekStart === "sunday" && unit === "day-of-week") return sql`(${part("isodow", local)} % 7 + 1)`
    if (weekStart === "sunday" && unit === "week-of-year") {
      return sql`((${part("doy", local)} - 1 + ${part("dow", sql`date_trunc('year', ${local})`)}) ${quotient} 7 + 1)`
    }
    // Postgres has a fraction in it.
    if (unit === "second-of-minute") return part("second", sql`date_trunc('second', ${local})`)
    return unit === "year-of-era" ? year(local) : part(EXTRACTIONS[unit], local)
  }

/** Whole months between two times, counted like birthdays. `intoMonth`: how far into its month a time is. */
export const monthsBetween = (intoMonth: (of: Sql) => Sql, first: Sql, last: Sql, year = yearOf): Sql => {
  const months = sql`((${year(last)} - ${year(first)}) * 12 + ${part("month", last)} - ${part("month", first)})`
  return sql`CASE WHEN ${last} >= ${first} THEN ${months} - CASE WHEN ${intoMonth(last)} < ${intoMonth(first)} THEN 1 ELSE 0 END ELSE ${months} + CASE WHEN ${intoMonth(last)} > ${intoMonth(first)} THEN 1 ELSE 0 END END`
}

/** Types whose parameters arrive as text. */
const FROM_TEXT: ReadonlyArray<ValueType> = ["uuid", "decimal", "float", "local"]

/** Values of an engine's types. */
export const valuesOf = (casts: Readonly<Record<ValueType, string>>) => {
  const value: Dialect["value"] = (type, given) => {
    const parameter = bound(parameterOf(type, given))
    return FROM_TEXT.includes(type) ? sql`CAST(${parameter} AS ${casts[type]})` : parameter
  }
  const isOneOf: Dialect["isOneOf"] = (of, type, given) => {
    const values = given.map((one) => value(type, one))
    return values.length === 1 ? sql`(${of} = ${values[0]!})` : sql`(${of} IN (${join(values, ", ")}))`
  }
  const typedNull: Dialect["typedNull"] = (type) => text(`CAST(NULL AS ${casts[type]})`)
  const sum: Dialect["sum"] = (of, type) => (type === "integer" ? sql`CAST(${of} AS bigint)` : of)
  return { value, isOneOf, typedNull, sum }
}
