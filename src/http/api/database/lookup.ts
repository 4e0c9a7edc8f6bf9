import { Effect } from "effect"
import type { CatalogError } from "../../../query/metadata/Catalog.ts"
import { Forbidden, NotFound, ServiceUnavailable } from "../problems.ts"

/** The id in a path. A malformed one is reported as something that does not exist. */
export const metadataIdOf = (what: string, given: string): Effect.Effect<number, NotFound> =>
  /^\d{1,16}$/.test(given) && Number.isSafeInteger(Number(given))
    ? Effect.succeed(Number(given))
    : Effect.fail(new NotFound({ detail: `There is no ${what} with the id ${JSON.stringify(given.slice(0, 100))}.` }))

export const changeProblem = ({ message, reason }: CatalogError) =>
  reason === "Unavailable" ? new ServiceUnavailable({ detail: message }) : new NotFound({ detail: message })

export const catalogProblem = (error: CatalogError) =>
  error.reason === "Forbidden" ? new Forbidden({ detail: error.message }) : changeProblem(error)
