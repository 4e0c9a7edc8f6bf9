import type { CardParameter, DashboardParameter, ParameterValue } from "../../domain/content/Parameter.ts"

/** A value that a request gives, with a JSON pointer to it. */
export interface GivenValue {
  readonly value: ParameterValue
  readonly pointer: string
}

/** Where a parameter has its default, for errors. */
const DEFAULT_POINTER = "/parameters"

/** Whether a value filters nothing. A list with null does: rows without a value. */
export const isEmpty = (value: ParameterValue): boolean =>
  value === null || (Array.isArray(value) && value.length === 0)

type Parameter = DashboardParameter | CardParameter

/** Whether a parameter's default is the first site. */
const isFirstSite = ({ default: value, required, type }: Parameter): boolean =>
  type === "site" && required === true && value == null

/** What is given for a parameter; undefined if that is nothing, also for a required one that is given without a value. */
const givenFor = (
  { id, required = false }: Parameter,
  given: ReadonlyMap<string, GivenValue>
): GivenValue | undefined => {
  const found = given.get(id)
  return found !== undefined && required && isEmpty(found.value) ? undefined : found
}

/** Whether the value of a parameter is the first site. */
export const needsFirstSite = (parameters: ReadonlyArray<Parameter>, given: ReadonlyMap<string, GivenValue>): boolean =>
  parameters.some((parameter) => isFirstSite(parameter) && givenFor(parameter, given) === undefined)

/**
 * The value of each parameter by its id. What is not given has its default, and so has a required parameter that is given without a
 * value. `firstSite` is the default of a required site that has none.
 */
export const parameterValues = (
  parameters: ReadonlyArray<DashboardParameter | CardParameter>,
  given: ReadonlyMap<string, GivenValue>,
  firstSite: string | null
): ReadonlyMap<string, GivenValue> =>
  new Map(
    parameters.map((parameter) => {
      const value = isFirstSite(parameter) ? firstSite : (parameter.default ?? null)
      return [parameter.id, givenFor(parameter, given) ?? { value, pointer: DEFAULT_POINTER }]
    })
  )
