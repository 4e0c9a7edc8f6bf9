import { Effect, Result } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { DashboardBody, Dashcard } from "../../../domain/content/Dashboard.ts"
import type { DashboardParameter } from "../../../domain/content/Parameter.ts"
import { FqlError } from "../../../query/fql/FqlError.ts"
import { type Clause, parseQuery, type Query } from "../../../query/fql/schema.ts"
import { applyParameters } from "../../../query/passes/applyParameters.ts"
import type { GivenValue } from "../../../query/passes/parameterValues.ts"

/** Values offered at once. More are found by searching. */
export const MAX_CHOICES = 1_000

interface Field {
  readonly dashcard: Dashcard
  readonly query: Query
  readonly dimension: string | Clause
}

/** The first field of a view that the parameter is mapped to, and the question that it is in. */
const fieldOf = (
  { dashcards }: DashboardBody,
  cards: ReadonlyMap<string, { readonly body: CardBody }>,
  parameter: DashboardParameter
): Field | null => {
  for (const dashcard of dashcards) {
    const target = dashcard.parameter_mappings.find(({ parameter_id: id }) => id === parameter.id)?.target
    const card = cards.get(dashcard.card_id ?? "")
    if (target?.[0] !== "dimension" || card === undefined) continue
    const parsed = parseQuery(card.body.dataset_query)
    if (Result.isFailure(parsed) || typeof parsed.success.source !== "string") continue
    return { dashcard, query: parsed.success, dimension: target[1] as string | Clause }
  }
  return null
}

/** Whether a parameter's value limits the choice of another one. */
const limits = (other: DashboardParameter, parameter: DashboardParameter): boolean =>
  other.id !== parameter.id &&
  (other.type === "site" ||
    other.type.startsWith("date/") ||
    parameter.filteringParameters?.includes(other.id) === true)

/**
 * The question whose answer has the values of a parameter's field, the most frequent first; null if the parameter applies to no field.
 * `text`: only values that contain it.
 */
export const choiceQuestion = (
  body: DashboardBody,
  cards: ReadonlyMap<string, { readonly body: CardBody }>,
  {
    parameter,
    text,
    values
  }: {
    readonly parameter: DashboardParameter
    readonly text: string | null
    readonly values: ReadonlyMap<string, GivenValue>
  }
): Effect.Effect<Query, FqlError> => {
  const field = fieldOf(body, cards, parameter)
  if (field === null) {
    return Effect.fail(
      new FqlError(
        "not-found",
        "",
        `The parameter "${parameter.name}" applies to no field of a question on the dashboard.`
      )
    )
  }
  const { dashcard, dimension, query } = field
  const set = dashcard.parameter_mappings.flatMap(({ parameter_id: id, target }) => {
    const other = body.parameters.find((one) => one.id === id)
    const value = values.get(id)
    return other === undefined || value === undefined || !limits(other, parameter)
      ? []
      : [{ name: other.name, type: other.type, target, ...value }]
  })
  const known: Clause = ["not-null", dimension]
  const choice: Query = {
    fql: 1,
    type: "query",
    source: query.source,
    ...(query.joins !== undefined && { joins: query.joins }),
    ...(query.expressions !== undefined && { expressions: query.expressions }),
    filter: text === null ? known : ["and", known, ["contains", dimension, text]],
    aggregation: [["count"]],
    breakout: [dimension],
    "order-by": [["desc", ["aggregation", 0]]],
    limit: MAX_CHOICES + 1,
    settings: { fill: false }
  }
  return Effect.fromResult(applyParameters(choice, set))
}
