import { FqlError } from "../fql/FqlError.ts"
import type { Query } from "../fql/schema.ts"

/** A part of a question with parameters, and where it was given: in the question as it was, or as a parameter. */
export interface Place {
  /** A JSON pointer into the question with parameters. */
  readonly at: string
  /** A JSON pointer into what was sent. */
  readonly from: string
  /** Whether the part is as it was given; otherwise all of it is made of what `from` points to. */
  readonly isGiven: boolean
}

const isWithin = (pointer: string, { at }: Place): boolean => pointer === at || pointer.startsWith(`${at}/`)

/** The places of questions that parameters were applied to. */
const places = new WeakMap<object, ReadonlyArray<Place>>()

export const rememberPlaces = (query: Query, found: ReadonlyArray<Place>): Query => {
  places.set(query, found)
  return query
}

/** An error of a question with parameters that points into what was sent. */
export const asGiven = (json: unknown, error: FqlError): FqlError => {
  const known = typeof json === "object" && json !== null ? places.get(json) : undefined
  const place = known?.find((one) => isWithin(error.pointer, one))
  if (place === undefined) return error
  const { at, from, isGiven } = place
  return new FqlError(error.code, isGiven ? from + error.pointer.slice(at.length) : from, error.detail)
}
