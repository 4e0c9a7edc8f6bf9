import type { FieldStats, NumberStats, TextStats, TimeStats } from "../../domain/FieldStats.ts"
import type { QueryValue } from "../../ports/QueryEngine.ts"

/** How the values of a field are measured. */
export type MeasuredType = "text" | "number" | "time" | "other"

/** A value of a sample, with how many rows have it. */
export type Group = readonly [value: QueryValue, rows: number]

const TOP = 10

/** Longest value of a list or of the most frequent ones, in characters: a picker shows no more. */
const MAX_SHOWN = 500

const URL_PATTERN = /^https?:\/\/[^\s/?#]+\.[^\s]+$/i
const EMAIL_PATTERN = /^[^\s@]{1,64}@[^\s@.]+(?:\.[^\s@.]+)+$/

const isJson = (value: string): boolean => {
  if (!/^\s*[[{]/.test(value)) return false
  try {
    JSON.parse(value)
    return true
  } catch {
    return false
  }
}

const STATES = new Set(
  `AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY
Alabama,Alaska,Arizona,Arkansas,California,Colorado,Connecticut,Delaware,Florida,Georgia,Hawaii,Idaho,Illinois,Indiana,Iowa,Kansas,Kentucky,Louisiana,Maine,Maryland,Massachusetts,Michigan,Minnesota,Mississippi,Missouri,Montana,Nebraska,Nevada,New Hampshire,New Jersey,New Mexico,New York,North Carolina,North Dakota,Ohio,Oklahoma,Oregon,Pennsylvania,Rhode Island,South Carolina,South Dakota,Tennessee,Texas,Utah,Vermont,Virginia,Washington,West Virginia,Wisconsin,Wyoming`
    .split("\n")
    .flatMap((line, index) => line.split(index === 0 ? " " : ","))
    .map((name) => name.toLowerCase())
)

const textStats = (groups: ReadonlyArray<Group>): TextStats => {
  const stats = { rows: 0, length: 0, url: 0, email: 0, json: 0, state: 0 }
  for (const [value, rows] of groups) {
    const text = String(value)
    stats.rows += rows
    stats.length += rows * text.length
    if (URL_PATTERN.test(text)) stats.url += rows
    if (EMAIL_PATTERN.test(text)) stats.email += rows
    if (isJson(text)) stats.json += rows
    if (STATES.has(text.toLowerCase())) stats.state += rows
  }
  return stats
}

/** The value below which this share of the rows is, interpolated as `percentile_cont` does. `sorted`: by value. */
const quantile = (sorted: ReadonlyArray<readonly [number, number]>, rows: number, share: number): number => {
  const position = share * (rows - 1)
  const at = (index: number): number => {
    let before = 0
    for (const [value, count] of sorted) {
      before += count
      if (index < before) return value
    }
    return sorted.at(-1)![0]
  }
  const low = at(Math.floor(position))
  const high = at(Math.ceil(position))
  return low + (high - low) * (position - Math.floor(position))
}

const numberStats = (groups: ReadonlyArray<Group>): NumberStats | null => {
  const sorted = groups
    .map(([value, rows]) => [Number(value), rows] as const)
    .filter(([value]) => Number.isFinite(value))
    .toSorted(([a], [b]) => a - b)
  if (sorted.length === 0) return null
  const rows = sorted.reduce((total, [, count]) => total + count, 0)
  const sum = sorted.reduce((total, [value, count]) => total + value * count, 0)
  const mean = sum / rows
  return {
    rows,
    min: sorted[0]![0],
    max: sorted.at(-1)![0],
    sum,
    squares: sorted.reduce((total, [value, count]) => total + count * (value - mean) ** 2, 0),
    q1: quantile(sorted, rows, 0.25),
    q3: quantile(sorted, rows, 0.75)
  }
}

const timeStats = (groups: ReadonlyArray<Group>): TimeStats | null => {
  if (groups.length === 0) return null
  // Engines whose types have no zone leave out the Z.
  const times = groups.map(([value]) => String(value).replace(/Z?$/, "Z")).toSorted()
  return { earliest: times[0]!, latest: times.at(-1)! }
}

/** A value as JSON, cut to what a picker shows. */
export const shownValue = (value: QueryValue, type: MeasuredType): string | number | boolean => {
  if (typeof value === "boolean") return value
  if (type === "number" && Number.isFinite(Number(value))) return Number(value)
  return String(value).slice(0, MAX_SHOWN)
}

/** Measures a sample. `isPartial`: there are more rows. */
export const statsOf = (groups: ReadonlyArray<Group>, type: MeasuredType, isPartial: boolean): FieldStats => {
  const present = groups.filter(([value]) => value !== null)
  const rows = groups.reduce((total, [, count]) => total + count, 0)
  return {
    rows,
    nulls: rows - present.reduce((total, [, count]) => total + count, 0),
    distinct: present.length,
    isPartial,
    text: type === "text" && present.length > 0 ? textStats(present) : null,
    number: type === "number" ? numberStats(present) : null,
    time: type === "time" ? timeStats(present) : null,
    top: mostFrequent(present.map(([value, count]) => [shownValue(value, type), count] as const))
  }
}

const mostFrequent = <Value>(values: ReadonlyArray<readonly [Value, number]>) =>
  values.toSorted(([, a], [, b]) => b - a).slice(0, TOP)

const sum = <A>(all: ReadonlyArray<A>, of: (one: A) => number): number => all.reduce((total, one) => total + of(one), 0)

const mergeText = (all: ReadonlyArray<TextStats>): TextStats | null =>
  all.length === 0
    ? null
    : {
        rows: sum(all, ({ rows }) => rows),
        length: sum(all, ({ length }) => length),
        url: sum(all, ({ url }) => url),
        email: sum(all, ({ email }) => email),
        json: sum(all, ({ json }) => json),
        state: sum(all, ({ state }) => state)
      }

/** Quartiles of several samples are the means of theirs, weighted by rows, which is close for samples that are alike. */
const mergeNumbers = (all: ReadonlyArray<NumberStats>): NumberStats | null => {
  if (all.length === 0) return null
  const rows = sum(all, (one) => one.rows)
  const total = sum(all, (one) => one.sum)
  const mean = total / rows
  const weighted = (of: (one: NumberStats) => number) => sum(all, (one) => of(one) * one.rows) / rows
  return {
    rows,
    min: Math.min(...all.map(({ min }) => min)),
    max: Math.max(...all.map(({ max }) => max)),
    sum: total,
    squares: sum(all, (one) => one.squares + one.rows * (one.sum / one.rows - mean) ** 2),
    q1: weighted(({ q1 }) => q1),
    q3: weighted(({ q3 }) => q3)
  }
}

const mergeTimes = (all: ReadonlyArray<TimeStats>): TimeStats | null =>
  all.length === 0
    ? null
    : {
        earliest: all.map(({ earliest }) => earliest).toSorted()[0]!,
        latest: all
          .map(({ latest }) => latest)
          .toSorted()
          .at(-1)!
      }

const present = <A>(all: ReadonlyArray<A | null>): ReadonlyArray<A> => all.filter((one) => one !== null)

/**
 * What the samples of several sites are like together; null without any. `distinct` is that of `lists` if all values are known, otherwise
 * the most of one site, which is at least that many.
 */
export const mergeStats = (all: ReadonlyArray<FieldStats>, distinct: number | null): FieldStats | null => {
  const [first] = all
  if (first === undefined) return null
  if (all.length === 1) return first
  const counts = new Map<string | number | boolean, number>()
  for (const { top } of all) for (const [value, rows] of top) counts.set(value, (counts.get(value) ?? 0) + rows)
  return {
    rows: sum(all, ({ rows }) => rows),
    nulls: sum(all, ({ nulls }) => nulls),
    distinct: distinct ?? Math.max(...all.map((one) => one.distinct)),
    isPartial: distinct === null || all.some(({ isPartial }) => isPartial),
    text: mergeText(present(all.map(({ text }) => text))),
    number: mergeNumbers(present(all.map(({ number }) => number))),
    time: mergeTimes(present(all.map(({ time }) => time))),
    top: mostFrequent([...counts])
  }
}
