import { fieldText } from "./fields.ts"
import { COMPARISON_LEVEL, EXTRACTIONS, FIELD_FIRST, FLAGS, FUNCTIONS, levelOf } from "./names.ts"

type Json = unknown
type Clause = ReadonlyArray<Json>

/** Something that a formula cannot say. */
class Unprintable extends Error {}

const names = new Map(FUNCTIONS.map(([formula, clause]) => [clause, formula]))
const extractions = new Map(EXTRACTIONS.map(([formula, unit]) => [unit, formula]))

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, "\\$&")}"`

const numberText = (value: number): string => {
  if (!Number.isFinite(value)) throw new Unprintable()
  return String(value)
}

const print = (json: Json, level: number): string => {
  if (json === null) return "null"
  if (typeof json === "string") return quoted(json)
  if (typeof json === "number") return json < 0 && level > 0 ? `(${numberText(json)})` : numberText(json)
  if (typeof json === "boolean") return String(json)
  if (!Array.isArray(json) || typeof json[0] !== "string") throw new Unprintable()
  return clauseText(json as Clause, level)
}

const list = (args: ReadonlyArray<Json>): string => args.map((arg) => print(arg, 0)).join(", ")

const clauseText = (clause: Clause, level: number): string => {
  const [name, ...given] = clause as readonly [string, ...Array<Json>]
  const args = FIELD_FIRST.has(name) && typeof given[0] === "string" ? [["field", given[0]], ...given.slice(1)] : given
  if (["field", "prop", "attr", "expression"].includes(name)) {
    const field = fieldText(clause)
    if (field === null) throw new Unprintable()
    return field
  }
  const own = levelOf(name)
  if (own !== null) return operatorText(name, args, own, level)
  switch (name) {
    case "not":
      return bracketed(`not ${print(args[0], COMPARISON_LEVEL)}`, level > COMPARISON_LEVEL - 1)
    case "case":
      return caseText(args)
    case "metric":
      return metricText(args)
    case "temporal-extract": {
      const extraction = extractions.get(String(args[1]))
      if (extraction === undefined || args.length < 2) throw new Unprintable()
      return `${extraction}(${list([args[0], ...args.slice(2)])})`
    }
    default:
      return callText(name, args)
  }
}

const bracketed = (text: string, isNeeded: boolean): string => (isNeeded ? `(${text})` : text)

const operatorText = (name: string, args: ReadonlyArray<Json>, own: number, level: number): string => {
  // `= a b c` is a list of values, which has no operator.
  if (own === COMPARISON_LEVEL && args.length > 2) {
    if (name === "=") return `in(${list(args)})`
    if (name === "!=") return `notIn(${list(args)})`
    throw new Unprintable()
  }
  if (args.length < 2) throw new Unprintable()
  const [first, ...rest] = args
  const left = print(first, own === COMPARISON_LEVEL ? own + 1 : own)
  return bracketed([left, ...rest.map((arg) => print(arg, own + 1))].join(` ${name} `), level > own)
}

const caseText = ([pairs, options]: ReadonlyArray<Json>): string => {
  if (!Array.isArray(pairs)) throw new Unprintable()
  const flat = (pairs as ReadonlyArray<ReadonlyArray<Json>>).flat()
  const { default: otherwise } = (options ?? {}) as { readonly default?: Json }
  return `case(${list(otherwise === undefined ? flat : [...flat, otherwise])})`
}

const metricText = ([name, options = {}]: ReadonlyArray<Json>): string => {
  const { currency, goal, ...others } = options as Readonly<Record<string, Json>>
  if (Object.keys(others).length > 0 || (currency !== undefined && goal !== undefined)) throw new Unprintable()
  return `Metric(${list([name, ...[currency, goal].filter((one) => one !== undefined)])})`
}

const callText = (name: string, args: ReadonlyArray<Json>): string => {
  const formula = names.get(name)
  if (formula === undefined) throw new Unprintable()
  const last = args.at(-1)
  if (typeof last !== "object" || last === null || Array.isArray(last)) {
    // As the last of several values, it would be read as an option.
    if (args.length > 2 && FLAGS[name]?.some(([word]) => word === last)) throw new Unprintable()
    return args.length === 0 ? formula : `${formula}(${list(args)})`
  }
  const [[option, value] = [], ...more] = Object.entries(last)
  const flag = FLAGS[name]?.find(([, one, set]) => one === option && set === value)
  if (flag === undefined || more.length > 0) throw new Unprintable()
  return `${formula}(${list(args.slice(0, -1))}, ${quoted(flag[0])})`
}

/** A clause as a formula; null if it has options that a formula cannot say. */
export const printFormula = (clause: Json): string | null => {
  try {
    return print(clause, 0)
  } catch (error) {
    if (error instanceof Unprintable) return null
    throw error
  }
}
