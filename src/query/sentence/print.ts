import { Equal } from "effect"
import { type Clause, isClause, type Query } from "../fql/schema.ts"
import { parseSentence } from "./parse.ts"
import { AGGREGATIONS, FIELDS, KEYWORDS, METRICS, OPERATORS, TIME_PARTS } from "./words.ts"

type Json = unknown

const phraseOf = (known: ReadonlyArray<readonly [string, ReadonlyArray<string>, ...Array<unknown>]>, meaning: string) =>
  known.find(([one]) => one === meaning)?.[1][0] ?? null

/** A word as it is, otherwise in quotation marks. */
const quoted = (text: string): string =>
  /^[^\s,"'“”„=<>!]+$/.test(text) && !KEYWORDS.includes(text.toLowerCase())
    ? text
    : `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`

/** Where a name could be taken for one of our own words, `property` says that it is not. */
const propertyText = (name: string): string =>
  FIELDS.some(
    ([field, phrases]) => field === name || phrases.some((phrase) => phrase.split(" ")[0] === name.toLowerCase())
  )
    ? `property ${quoted(name)}`
    : quoted(name)

const dimensionText = (dimension: Json): string | null => {
  if (typeof dimension === "string") return phraseOf(FIELDS, dimension)
  if (!isClause(dimension)) return null
  const [kind, name, options] = dimension as ReadonlyArray<Json>
  if (kind === "prop") return propertyText(String(name))
  if (kind === "attr") return `attribute ${quoted(String(name))}`
  const unit = (options as { readonly "temporal-unit"?: string } | undefined)?.["temporal-unit"]
  if (unit === undefined) return typeof name === "string" ? phraseOf(FIELDS, name) : null
  return name === "created_at" ? (phraseOf(TIME_PARTS, unit) ?? unit) : null
}

const measureText = (aggregation: Clause, event: string | null): string | null => {
  const [name, of, ...more] = aggregation as ReadonlyArray<Json>
  const ofEvent = event === null ? "" : ` of ${quoted(event)}`
  if (name === "count" && of === undefined) return event === null ? "count of events" : `count${ofEvent}`
  if (name === "metric") {
    const metric = phraseOf(METRICS, String(of))
    const { currency, goal } = (more[0] ?? {}) as { readonly currency?: string; readonly goal?: Clause }
    if (metric === null) return null
    const ofGoal = goal === undefined ? ofEvent : ` of ${quoted(String(goal[2]))}`
    return `${metric}${ofGoal}${currency === undefined ? "" : ` in ${currency}`}`
  }
  const phrase = phraseOf(AGGREGATIONS, String(name))
  const field = dimensionText(of)
  return phrase === null || field === null ? null : `${phrase} ${field}${ofEvent}`
}

const rangeText = (clause: Clause): string | null => {
  const [name, field, amount, unit, options] = clause as ReadonlyArray<Json>
  if (field !== "created_at") return null
  if (name === "between") return amount === unit ? String(amount) : `${amount} to ${unit}`
  if (name !== "time-interval") return null
  if (amount === "current") return unit === "day" ? "today" : `this ${unit}`
  if (amount === -1 && options === undefined) return unit === "day" ? "yesterday" : `last ${unit}`
  return options === undefined ? null : `last ${1 - Number(amount)} ${unit}s`
}

const conditionText = (clause: Clause): string | null => {
  const [name, of, ...values] = clause as ReadonlyArray<Json>
  const phrase = phraseOf(OPERATORS, String(name))
  const field = dimensionText(of)
  if (phrase === null || field === null) return null
  return [field, phrase, values.map((value) => quoted(String(value))).join(" or ")].join(" ").trim()
}

const isSite = (clause: Clause): boolean => clause[0] === "=" && clause[1] === "v_pa_sites.name"

const write = (query: Query): string | null => {
  const { aggregation = [], breakout = [], filter, limit } = query
  const clauses = (
    filter === undefined ? [] : filter[0] === "and" ? filter.slice(1) : [filter]
  ) as ReadonlyArray<Clause>
  const named = clauses.find((clause) => clause[0] === "=" && clause[1] === "event_name" && clause.length === 3)
  const site = clauses.find(isSite)
  const range = clauses.find((clause) => rangeText(clause) !== null)
  const others = clauses.filter((clause) => clause !== named && clause !== site && clause !== range)
  const [measure] = aggregation
  if (measure === undefined || aggregation.length > 1) return null
  const parts = [
    measureText(measure, named === undefined ? null : String(named[2])),
    ...(others.length === 0 ? [] : [others.map(conditionText).reduce((all, one) => all && one && `${all} and ${one}`)]),
    ...(breakout.length === 0
      ? []
      : [breakout.map(dimensionText).reduce((all, one) => all && one && `${all}, ${one}`)]),
    `over ${range === undefined ? "all time" : rangeText(range)}`,
    ...(site === undefined ? [] : [`on ${quoted(String(site[2]))}`]),
    ...(limit === undefined ? [] : [`top ${limit}`])
  ]
  if (parts.some((part) => part === null || part === undefined)) return null
  const [what, ...rest] = parts as ReadonlyArray<string>
  const prefixes = [...(others.length === 0 ? [] : ["where "]), ...(breakout.length === 0 ? [] : ["by "])]
  return [what, ...rest.map((part, index) => `${prefixes[index] ?? ""}${part}`)].join(" ")
}

/** The sentence of a question; null if the question says more than a sentence can. */
export const printSentence = (query: Query): string | null => {
  const sentence = write(query)
  if (sentence === null) return null
  const read = parseSentence(sentence)
  return read._tag === "Success" && Equal.equals(read.success, query) ? sentence : null
}
