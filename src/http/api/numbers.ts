import { Schema } from "effect"

/** The largest number that a column of the type `integer` holds. */
export const MAX_INT = 2_147_483_647

/** A positive whole number in a path or query, such as an id. */
export const intParam = (description: string, example: number) =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: MAX_INT })).annotate({
    description,
    examples: [example]
  })

const MAX_PAGE = 500
export const DEFAULT_PAGE = 100

/** Entries of a page in a query. */
export const limitParam = Schema.optionalKey(
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: MAX_PAGE })).annotate({
    description: `Entries in the response, 1 to ${MAX_PAGE}; default: ${DEFAULT_PAGE}`,
    examples: [DEFAULT_PAGE]
  })
)

/** A page by its position, as in Metabase. */
export const page = {
  limit: limitParam,
  offset: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: MAX_INT })).annotate({
      description: "Entries to skip; default: 0",
      examples: [0]
    })
  )
}
