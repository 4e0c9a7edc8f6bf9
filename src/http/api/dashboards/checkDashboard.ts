import { Effect } from "effect"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { DashboardBody } from "../../../domain/content/Dashboard.ts"
import { ItemId } from "../../../domain/content/Item.ts"
import type { Principal } from "../../../domain/Principal.ts"
import type { Content } from "../../../ports/Content.ts"
import type { Questions } from "../../../query/run/Questions.ts"
import { checkTargets } from "../content/checkQuestion.ts"
import { mayRead } from "../content/permission.ts"
import { readProblem } from "../content/problem.ts"
import { BadRequest } from "../problems.ts"
import type { Cards } from "./json.ts"

/** The saved questions on a dashboard that the principal may read, by their ids. */
export const cardsOf = (
  content: Content["Service"],
  principal: Principal,
  { dashcards }: Pick<DashboardBody, "dashcards">
) => {
  const ids = new Set(dashcards.flatMap(({ card_id: id }) => (id === null ? [] : [ItemId.make(id)])))
  if (ids.size === 0) return Effect.succeed<Cards>(new Map())
  return Effect.map(Effect.mapError(content.cards([...ids]), readProblem), (cards): Cards => {
    return new Map(cards.filter((card) => mayRead(principal, card)).map((card) => [card.id, card]))
  })
}

/** Fails unless each parameter applies to something in the questions that it is mapped to. */
export const checkMappings = Effect.fnUntraced(function* (
  questions: Questions["Service"],
  principal: Principal,
  body: DashboardBody,
  cardOf: (id: string) => CardBody | undefined
) {
  for (const [index, { card_id: id, parameter_mappings: mappings }] of body.dashcards.entries()) {
    const card = id === null ? undefined : cardOf(id)
    if (card === undefined) continue
    const mapped = mappings.flatMap(({ parameter_id: parameterId, target }, at) => {
      const parameter = body.parameters.find((one) => one.id === parameterId)
      const pointer = `/dashcards/${index}/parameter_mappings/${at}/target`
      return parameter === undefined ? [] : [{ name: parameter.name, type: parameter.type, target, pointer }]
    })
    yield* checkTargets(questions, principal, { json: card.dataset_query, mapped })
  }
})

/** Fails unless each question on the dashboard exists or was there `before`, and each of its parameters applies to something in the questions that it is mapped to. */
export const checkDashboard = Effect.fnUntraced(function* (
  { content, questions }: { readonly content: Content["Service"]; readonly questions: Questions["Service"] },
  principal: Principal,
  body: DashboardBody,
  before: DashboardBody
) {
  const cards = yield* cardsOf(content, principal, body)
  const missing = body.dashcards.flatMap(({ card_id: id, id: dashcard }, index) =>
    id === null || cards.has(id) || before.dashcards.some((one) => one.id === dashcard && one.card_id === id)
      ? []
      : [{ pointer: `#/dashcards/${index}/card_id`, detail: `There is no question with the id "${id}".` }]
  )
  if (missing.length > 0) {
    return yield* new BadRequest({ detail: missing.map(({ detail }) => detail).join(" "), errors: missing })
  }
  yield* checkMappings(questions, principal, body, (id) => cards.get(id)?.body)
  return cards
})
