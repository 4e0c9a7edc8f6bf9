import { Result } from "effect"
import type { ParameterTarget, ParameterType, ParameterValue } from "../../domain/content/Parameter.ts"
import { COMPARE_VALUES, isComparison } from "../compare/otherPeriod.ts"
import { FqlError } from "../fql/FqlError.ts"
import type { Clause, Query } from "../fql/schema.ts"
import { TRUNCATION_UNITS } from "../plan/plan.ts"
import { parseUuid } from "../resolve/ranges.ts"
import { DATE_VALUES, dateClause, hasRealDates, isTruncationUnit } from "./dateClause.ts"
import { type Place, rememberPlaces } from "./places.ts"

/** A parameter of a card or dashboard with its value, and what it applies to in the question. */
export interface SetParameter {
  readonly name: string
  readonly type: ParameterType
  readonly target: ParameterTarget
  readonly value: ParameterValue
  /** Where the value was given, for errors: a JSON pointer. */
  readonly pointer: string
}

type Options = Readonly<Record<string, unknown>>

/** The values of a parameter that filter; empty if it filters nothing. */
const valuesOf = ({ value }: SetParameter): ReadonlyArray<string | number | boolean | null> =>
  value === null ? [] : Array.isArray(value) ? value : [value as string | number | boolean]

const mismatch = ({ name, pointer, value }: SetParameter, accepted: string) =>
  new FqlError(
    "type-mismatch",
    pointer,
    `The parameter "${name}" can't be ${JSON.stringify(value)?.slice(0, 100)}. Give ${accepted}.`
  )

const badTarget = ({ name, pointer }: SetParameter, why: string) =>
  new FqlError("bad-ast", pointer, `The parameter "${name}" ${why}`)

/** Options of a dimension that group rows, and have no meaning in a filter. */
const GROUPING_OPTIONS: ReadonlyArray<string> = ["temporal-unit", "binning"]

const withoutOptions = (dimension: unknown, names: ReadonlyArray<string>): unknown => {
  if (!Array.isArray(dimension) || typeof dimension[2] !== "object" || dimension[2] === null) return dimension
  const rest = Object.entries(dimension[2] as Options).filter(([key]) => !names.includes(key))
  return rest.length === 0 ? dimension.slice(0, 2) : [dimension[0], dimension[1], Object.fromEntries(rest)]
}

const dimensionOf = (parameter: SetParameter): unknown => {
  const [kind, dimension] = parameter.target
  if (kind !== "dimension" || dimension === undefined) {
    throw badTarget(parameter, 'needs a target such as ["dimension", ["field", "country"]].')
  }
  return withoutOptions(dimension, GROUPING_OPTIONS)
}

const numberOf = (parameter: SetParameter, given: unknown): number => {
  const number = typeof given === "string" && given.trim() !== "" ? Number(given) : given
  if (typeof number === "number" && Number.isFinite(number)) return number
  throw mismatch(parameter, "a number")
}

const dates = (parameter: SetParameter): Clause | null => {
  const values = valuesOf(parameter)
  const clauses = values.map((value) => {
    const clause = typeof value === "string" ? dateClause(dimensionOf(parameter), value) : undefined
    if (clause === undefined || !hasRealDates(String(value))) throw mismatch(parameter, DATE_VALUES)
    return clause
  })
  // A range or any time is any time.
  const ranges = clauses.filter((clause) => clause !== null)
  return ranges.length < clauses.length ? null : either(ranges)
}

const either = (clauses: ReadonlyArray<Clause>): Clause =>
  clauses.length === 1 ? clauses[0]! : (["or", ...clauses] as unknown as Clause)

const strings =
  (operator: string, allowsNull: boolean) =>
  (parameter: SetParameter): Clause => {
    const values = valuesOf(parameter).map((value) => {
      if (value === null && !allowsNull) throw mismatch(parameter, "text")
      return value === null ? null : String(value)
    })
    return [operator, dimensionOf(parameter), ...values]
  }

const numbers =
  (operator: string) =>
  (parameter: SetParameter): Clause => {
    const values = valuesOf(parameter)
    if ((operator === ">=" || operator === "<=") && values.length > 1) throw mismatch(parameter, "one number")
    return [
      operator,
      dimensionOf(parameter),
      ...values.map((value) => (value === null ? null : numberOf(parameter, value)))
    ]
  }

/** Two numbers; without one of them, the range is open. */
const between = (parameter: SetParameter): Clause | null => {
  const values = valuesOf(parameter)
  if (values.length !== 2) throw mismatch(parameter, "two numbers, either of them null for an open range")
  const [from, to] = values.map((value) => (value === null ? null : numberOf(parameter, value)))
  const dimension = dimensionOf(parameter)
  if (from === null && to === null) return null
  if (from === null) return ["<=", dimension, to]
  return to === null ? [">=", dimension, from] : ["between", dimension, from, to]
}

const booleans = (parameter: SetParameter): Clause => {
  const values = valuesOf(parameter).map((value) => {
    if (typeof value === "boolean" || value === null) return value
    if (value === "true" || value === "false") return value === "true"
    throw mismatch(parameter, "true or false")
  })
  return ["=", dimensionOf(parameter), ...values]
}

const saved =
  (kind: "segment" | "cohort") =>
  (parameter: SetParameter): Clause =>
    either(
      valuesOf(parameter).map((id) => {
        if (typeof id !== "string") throw mismatch(parameter, `the id of a ${kind}`)
        return [kind, id]
      })
    )

/** The condition that each kind of parameter stands for; null: none. */
const CLAUSES: Readonly<
  Record<Exclude<ParameterType, "compare" | "temporal-unit">, (parameter: SetParameter) => Clause | null>
> = {
  "date/all-options": dates,
  "date/range": dates,
  "date/single": dates,
  "date/relative": dates,
  "date/month-year": dates,
  "date/quarter-year": dates,
  "string/=": strings("=", true),
  "string/!=": strings("!=", true),
  "string/contains": strings("contains", false),
  "string/does-not-contain": strings("does-not-contain", false),
  "string/starts-with": strings("starts-with", false),
  "string/ends-with": strings("ends-with", false),
  "number/=": numbers("="),
  "number/!=": numbers("!="),
  "number/between": between,
  "number/>=": numbers(">="),
  "number/<=": numbers("<="),
  "boolean/=": booleans,
  id: strings("=", true),
  site: (parameter) => {
    if (!valuesOf(parameter).every((id) => parseUuid(String(id)) !== null))
      throw mismatch(parameter, "the id of a site")
    return strings("=", false)(parameter)
  },
  segment: saved("segment"),
  cohort: saved("cohort")
}

/** The same dimension, whatever it is grouped by. */
const keyOf = (dimension: unknown): string =>
  JSON.stringify(withoutOptions(typeof dimension === "string" ? ["field", dimension] : dimension, GROUPING_OPTIONS))

const hasUnit = (dimension: unknown): boolean =>
  Array.isArray(dimension) &&
  typeof dimension[2] === "object" &&
  dimension[2] !== null &&
  isTruncationUnit((dimension[2] as Options)["temporal-unit"])

/** Groups by another unit of time where the question groups by the parameter's dimension. */
const inUnit = (query: Query, parameter: SetParameter): Query => {
  const [unit, ...more] = valuesOf(parameter)
  if (!isTruncationUnit(unit) || more.length > 0) throw mismatch(parameter, `one of ${TRUNCATION_UNITS.join(", ")}`)
  const key = keyOf(dimensionOf(parameter))
  const isMeant = (dimension: unknown): boolean => hasUnit(dimension) && keyOf(dimension) === key
  const change = (dimension: string | Clause): string | Clause =>
    isMeant(dimension)
      ? ([
          dimension[0],
          dimension[1],
          { ...((dimension as Clause)[2] as Options), "temporal-unit": unit }
        ] as unknown as Clause)
      : dimension
  if (query.breakout?.some(isMeant) !== true) {
    throw badTarget(parameter, "applies to a field that the question does not group by units of time.")
  }
  return {
    ...query,
    breakout: query.breakout.map(change),
    ...(query["order-by"] !== undefined && {
      "order-by": query["order-by"].map(([direction, by]) => [direction, change(by)] as const)
    })
  }
}

/** A query with parameters, and the places of its parts that they changed. */
interface Changed {
  readonly query: Query
  readonly places: ReadonlyArray<Place>
}

const madeOf = ({ pointer }: SetParameter, at: string): Place => ({ at, from: pointer, isGiven: false })

/** Compares with another period. */
const compared = ({ places, query }: Changed, parameter: SetParameter): Changed => {
  const [compare, ...more] = valuesOf(parameter)
  if (!isComparison(compare) || more.length > 0) throw mismatch(parameter, COMPARE_VALUES)
  return {
    query: { ...query, settings: { ...query.settings, compare } },
    places: [madeOf(parameter, "/settings/compare"), ...places]
  }
}

const FILTER = "/filter"
const OWN_FILTER: Place = { at: FILTER, from: FILTER, isGiven: true }

const filtered = ({ places, query }: Changed, parameter: SetParameter, clause: Clause | null): Changed => {
  const { filter } = query
  if (clause === null) return { query, places }
  if (filter === undefined)
    return { query: { ...query, filter: clause }, places: [madeOf(parameter, FILTER), ...places] }
  const known = places.some(({ at }) => at.startsWith(FILTER)) ? places : [...places, OWN_FILTER]
  const moved = known.map((one) =>
    one.at.startsWith(FILTER) ? { ...one, at: `${FILTER}/1${one.at.slice(FILTER.length)}` } : one
  )
  return {
    query: { ...query, filter: ["and", filter, clause] as unknown as Clause },
    places: [madeOf(parameter, `${FILTER}/2`), ...moved]
  }
}

const applyHere = (changed: Changed, parameter: SetParameter): Changed => {
  if (parameter.type === "temporal-unit") return { ...changed, query: inUnit(changed.query, parameter) }
  if (parameter.type === "compare") return compared(changed, parameter)
  return filtered(changed, parameter, CLAUSES[parameter.type](parameter))
}

/** The number of queries in queries, this one included. */
const stagesOf = ({ source }: Query): number =>
  typeof source === "object" && "query" in source ? stagesOf(source.query) + 1 : 1

const INNER = "/source/query"

const applyAt = (changed: Changed, parameter: SetParameter, depth: number): Changed => {
  if (depth === 0) return applyHere(changed, parameter)
  const { places, query } = changed
  const { source } = query
  if (typeof source !== "object" || !("query" in source)) return changed
  const isInner = ({ at }: Place) => at.startsWith(`${INNER}/`)
  const within = places.filter(isInner).map((one) => ({
    ...one,
    at: one.at.slice(INNER.length),
    from: one.isGiven ? one.from.slice(INNER.length) : one.from
  }))
  const inner = applyAt({ query: source.query, places: within }, parameter, depth - 1)
  return {
    query: { ...query, source: { query: inner.query } },
    places: [
      ...places.filter((one) => !isInner(one)),
      ...inner.places.map((one) => ({
        ...one,
        at: INNER + one.at,
        from: one.isGiven ? INNER + one.from : one.from
      }))
    ]
  }
}

/** How many queries above the parameter's one: `stage-number` counts from the innermost, or from the outermost if negative. */
const depthOf = (query: Query, parameter: SetParameter): number => {
  if (parameter.type === "compare") return 0
  const options = (parameter.target[2] ?? {}) as Options
  const stage = options["stage-number"] ?? -1
  const stages = stagesOf(query)
  if (typeof stage !== "number" || !Number.isInteger(stage) || stage < -stages || stage >= stages) {
    throw badTarget(
      parameter,
      `has the \`stage-number\` ${JSON.stringify(stage)}, but the question's stages are 0 to ${stages - 1}.`
    )
  }
  return stage < 0 ? -stage - 1 : stages - stage - 1
}

/**
 * The question with the values of parameters: conditions, other units of time, or a comparison. Values are only ever operands of clauses, never part of
 * a name or of any text. Fails on a value that the parameter's type does not have. Later errors of a parameter's condition point to the parameter.
 */
export const applyParameters = (
  query: Query,
  parameters: ReadonlyArray<SetParameter>
): Result.Result<Query, FqlError> => {
  try {
    const start: Changed = { query, places: [] }
    const { places, query: applied } = parameters
      .filter((parameter) => valuesOf(parameter).length > 0)
      .reduce((changed, parameter) => applyAt(changed, parameter, depthOf(changed.query, parameter)), start)
    return Result.succeed(places.length === 0 ? applied : rememberPlaces(applied, places))
  } catch (cause) {
    if (cause instanceof FqlError) return Result.fail(cause)
    throw cause
  }
}
