import { Effect, Result } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { Dashcard } from "../../../domain/content/Dashboard.ts"
import type { CardParameter, DashboardParameter } from "../../../domain/content/Parameter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import type { Sites, SitesError } from "../../../ports/Sites.ts"
import { FqlError } from "../../../query/fql/FqlError.ts"
import { parseQuery, type Query } from "../../../query/fql/schema.ts"
import { applyParameters, type SetParameter } from "../../../query/passes/applyParameters.ts"
import { type GivenValue, needsFirstSite, parameterValues } from "../../../query/passes/parameterValues.ts"
import type { GivenParameters } from "./runJson.ts"

type Parameters = ReadonlyArray<CardParameter | DashboardParameter>

/** The given values by the ids of the parameters. Fails on one that does not exist. */
const byId = (
  parameters: Parameters,
  given: GivenParameters
): Result.Result<ReadonlyMap<string, GivenValue>, FqlError> => {
  const values = new Map<string, GivenValue>()
  for (const [index, { id, value }] of given.entries()) {
    const parameter = parameters.find((one) => one.id === id) ?? parameters.find(({ slug }) => slug === id)
    if (parameter === undefined) {
      const known = parameters.map(({ id: one }) => `\`${one}\``).join(", ") || "none"
      return Result.fail(
        new FqlError(
          "bad-ast",
          `/parameters/${index}/id`,
          `There is no parameter ${JSON.stringify(id.slice(0, 100))}; there are: ${known}.`
        )
      )
    }
    values.set(parameter.id, { value, pointer: `/parameters/${index}/value` })
  }
  return Result.succeed(values)
}

/** The live site that comes first by name, of those that the principal may see. */
export const firstSiteOf = (sites: Sites["Service"], principal: Principal): Effect.Effect<string | null, SitesError> =>
  Effect.map(sites.list({ archived: false }), (all) => all.find(({ id }) => principal.seesSite(id))?.id ?? null)

/** Everything that a saved question is asked with. */
export interface Asked {
  readonly principal: Principal
  readonly given: GivenParameters
  readonly sites: Sites["Service"]
}

/** The value of each parameter by its id. */
export const valuesOf = (
  parameters: Parameters,
  { given, principal, sites }: Asked
): Effect.Effect<ReadonlyMap<string, GivenValue>, FqlError | SitesError> =>
  Effect.gen(function* () {
    const values = yield* Effect.fromResult(byId(parameters, given))
    const firstSite = needsFirstSite(parameters, values) ? yield* firstSiteOf(sites, principal) : null
    return parameterValues(parameters, values, firstSite)
  })

const applied = ({ dataset_query: json }: CardBody, set: ReadonlyArray<SetParameter>): Effect.Effect<Query, FqlError> =>
  Effect.fromResult(Result.flatMap(parseQuery(json), (query) => applyParameters(query, set)))

const setParameter = (
  { name, type }: DashboardParameter,
  target: SetParameter["target"],
  values: ReadonlyMap<string, GivenValue>,
  id: string
): SetParameter => ({ name, type, target, ...(values.get(id) ?? { value: null, pointer: "" }) })

/** A saved question on its own, with the values of its parameters. */
export const cardQuestion = (body: CardBody, asked: Asked): Effect.Effect<Query, FqlError | SitesError> =>
  Effect.flatMap(valuesOf(body.parameters, asked), (values) =>
    applied(
      body,
      body.parameters.map((parameter) => setParameter(parameter, parameter.target, values, parameter.id))
    )
  )

/** A saved question on a dashboard: the dashboard's parameters apply as mapped, in place of the question's own. */
export const dashcardQuestion = (
  body: CardBody,
  {
    dashcard,
    parameters,
    values
  }: {
    readonly dashcard: Dashcard
    readonly parameters: ReadonlyArray<DashboardParameter>
    readonly values: ReadonlyMap<string, GivenValue>
  }
): Effect.Effect<Query, FqlError> =>
  applied(
    body,
    dashcard.parameter_mappings.flatMap(({ parameter_id: id, target }) => {
      const parameter = parameters.find((one) => one.id === id)
      return parameter === undefined ? [] : [setParameter(parameter, target, values, id)]
    })
  )
