import { FIELD_CONDITIONS, INTERVAL_CONDITIONS } from "../fql/conditions.ts"

/*
 * The functions of formulas, under Metabase's names, and the clauses that they stand for. Names are read in upper or lower case, and printed
 * as they are here.
 */

/** Functions whose arguments are the clause's. */
export const FUNCTIONS: ReadonlyArray<readonly [formula: string, clause: string]> = [
  ["Count", "count"],
  ["Distinct", "distinct"],
  ["Sum", "sum"],
  ["Average", "avg"],
  ["Min", "min"],
  ["Max", "max"],
  ["StandardDeviation", "stddev"],
  ["Variance", "var"],
  ["Median", "median"],
  ["Percentile", "percentile"],
  ["CountIf", "count-where"],
  ["SumIf", "sum-where"],
  ["DistinctIf", "distinct-where"],
  ["Share", "share"],
  ["CumulativeCount", "cum-count"],
  ["CumulativeSum", "cum-sum"],
  ["Offset", "offset"],
  ["abs", "abs"],
  ["round", "round"],
  ["floor", "floor"],
  ["ceil", "ceil"],
  ["sqrt", "sqrt"],
  ["power", "power"],
  ["log", "log"],
  ["exp", "exp"],
  ["coalesce", "coalesce"],
  ["if", "if"],
  ["concat", "concat"],
  ["substring", "substring"],
  ["length", "length"],
  ["trim", "trim"],
  ["lTrim", "ltrim"],
  ["rTrim", "rtrim"],
  ["lower", "lower"],
  ["upper", "upper"],
  ["replace", "replace"],
  ["regexExtract", "regex-match-first"],
  ["splitPart", "split-part"],
  ["host", "host"],
  ["domain", "domain"],
  ["subdomain", "subdomain"],
  ["path", "path"],
  ["urlParam", "url-param"],
  ["now", "now"],
  ["today", "today"],
  ["relativeDateTime", "relative-datetime"],
  ["datetimeAdd", "datetime-add"],
  ["datetimeSubtract", "datetime-subtract"],
  ["datetimeDiff", "datetime-diff"],
  ["date", "date"],
  ["convertTimezone", "convert-timezone"],
  ["dayName", "day-name"],
  ["monthName", "month-name"],
  ["quarterName", "quarter-name"],
  ["text", "text"],
  ["integer", "integer"],
  ["float", "float"],
  ["between", "between"],
  ["in", "in"],
  ["contains", "contains"],
  ["doesNotContain", "does-not-contain"],
  ["startsWith", "starts-with"],
  ["endsWith", "ends-with"],
  ["isNull", "is-null"],
  ["notNull", "not-null"],
  ["isEmpty", "is-empty"],
  ["notEmpty", "not-empty"],
  ["matches", "matches"],
  ["doesNotMatch", "does-not-match"],
  ["like", "wildcard"],
  ["interval", "time-interval"],
  ["intervalStartingFrom", "relative-time-interval"],
  ["segment", "segment"],
  ["cohort", "cohort"],
  ["visited", "visited"],
  ["did", "did"],
  ["didNot", "did-not"]
]

/** Other names that are read. */
export const ALIASES: ReadonlyArray<readonly [formula: string, clause: string]> = [
  ["relativeInterval", "relative-time-interval"]
]

/** Parts of a time. */
export const EXTRACTIONS: ReadonlyArray<readonly [formula: string, unit: string]> = [
  ["second", "second-of-minute"],
  ["minute", "minute-of-hour"],
  ["hour", "hour-of-day"],
  ["weekday", "day-of-week"],
  ["day", "day-of-month"],
  ["dayOfYear", "day-of-year"],
  ["week", "week-of-year"],
  ["month", "month-of-year"],
  ["quarter", "quarter-of-year"],
  ["year", "year-of-era"]
]

type Flags = ReadonlyArray<readonly [word: string, option: string, value: boolean]>

const OF_CASE: Flags = [
  ["case-sensitive", "case-sensitive", true],
  ["case-insensitive", "case-sensitive", false]
]

/** Words at the end of some functions' arguments, and the option that each sets. */
export const FLAGS: Readonly<Record<string, Flags>> = {
  contains: OF_CASE,
  "does-not-contain": OF_CASE,
  "starts-with": OF_CASE,
  "ends-with": OF_CASE,
  matches: OF_CASE,
  "does-not-match": OF_CASE,
  "time-interval": [["include-current", "include-current", true]]
}

/** Operators between two operands by how tightly they bind: comparisons do not chain. */
export const BINARY: ReadonlyArray<ReadonlyArray<string>> = [
  ["or"],
  ["and"],
  ["=", "!=", "<", "<=", ">", ">="],
  ["+", "-"],
  ["*", "/", "%"]
]

export const COMPARISON_LEVEL = 2

/** How tightly an operator binds; null for anything else. */
export const levelOf = (operator: string): number | null => {
  const level = BINARY.findIndex((operators) => operators.includes(operator))
  return level < 0 ? null : level
}

/** Clauses in which a bare string in the first place is a field's name; elsewhere, it is text. */
export const FIELD_FIRST: ReadonlySet<string> = new Set([
  ...FIELD_CONDITIONS,
  "in",
  ...INTERVAL_CONDITIONS,
  ...["count", "distinct", "sum", "avg", "min", "max", "stddev", "var", "median", "percentile", "cum-sum"],
  ...["sum-where", "distinct-where"]
])
