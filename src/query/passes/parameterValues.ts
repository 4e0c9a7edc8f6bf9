import type { CardParameter, DashboardParameter, ParameterValue } from "../../domain/content/Parameter.ts"

/** A value that a request gives, with a JSON pointer to it. */
export interface GivenValue {
  readonly value: ParameterValue
  readonly pointer: string
}

/** Where a parameter has its default, for errors. */
const DEFAULT_POINTER = "/parameters"

const isEmpty = (value: ParameterValue): boolean => value === null || (Array.isArray(value) && value.length === 0)

/** Whether a required site has neither a value nor a default, so that it is the first one. */
export const needsFirstSite = (
  parameters: ReadonlyArray<DashboardParameter | CardParameter>,
  given: ReadonlyMap<string, GivenValue>
): boolean =>
  parameters.some(
    ({ default: value, id, required, type }) =>
      type === "site" && required === true && value == null && isEmpty(given.get(id)?.value ?? null)
  )

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
      const { id, required = false, type } = parameter
      const found = given.get(id)
      if (found !== undefined && !(required && isEmpty(found.value))) return [id, found]
      const value = parameter.default ?? (type === "site" && required ? firstSite : null)
      return [id, { value, pointer: DEFAULT_POINTER }]
    })
  )
