import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { Sites } from "../../../ports/Sites.ts"
import { Questions } from "../../../query/run/Questions.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { checkQuestion, checkTargets } from "../content/checkQuestion.ts"
import { headChange, makeItems } from "../content/items.ts"
import { listedJson } from "../content/json.ts"
import { permitAsking } from "../content/permission.ts"
import { cardQuestion } from "../content/savedQuestion.ts"
import { answerJson } from "../dataset/answerJson.ts"
import { makeExportResponse } from "../dataset/exportResponse.ts"
import { withQuestionProblems } from "../dataset/questionProblem.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { cardBodyOf, cardJson, NEW_CARD } from "./json.ts"

export const CardsHandlers = HttpApiBuilder.group(
  AdminApi,
  "cards",
  Effect.fn(function* (handlers) {
    const questions = yield* Questions
    const sites = yield* Sites
    const exportResponse = yield* makeExportResponse
    const items = makeItems(yield* Content, yield* Collections)

    const check = Effect.fnUntraced(function* (principal: Principal, { dataset_query: json, parameters }: CardBody) {
      yield* checkQuestion(questions, principal, { json, pointer: "/dataset_query" })
      const mapped = parameters.map((one, index) => ({ ...one, pointer: `/parameters/${index}/target` }))
      yield* checkTargets(questions, principal, { json, mapped })
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const principal = yield* CurrentPrincipal
        const { items: found, ...page } = yield* items.find(principal, ["card"], query)
        return { data: found.map((head) => listedJson(head, principal)), ...page }
      }),
      create: Effect.fnUntraced(function* ({ payload }) {
        const principal = yield* CurrentPrincipal
        const body = cardBodyOf(payload, NEW_CARD)
        yield* check(principal, body)
        return cardJson(yield* items.create(principal, "card", { ...payload, body }), principal)
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const principal = yield* CurrentPrincipal
        return cardJson(yield* items.get(principal, "card", params.id), principal)
      }),
      update: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const card = yield* items.writable(principal, "card", { id: params.id, collection: payload.collection_id })
        const body = cardBodyOf(payload, card.body)
        if (payload.dataset_query !== undefined || payload.parameters !== undefined) yield* check(principal, body)
        const change = { revision: card.revision, ...headChange(payload), body }
        const changed = yield* items.update(principal, { ...card, kind: "card" }, change)
        return cardJson(changed, principal)
      }),
      remove: Effect.fnUntraced(function* ({ params }) {
        return yield* items.remove(yield* CurrentPrincipal, "card", params.id)
      }),
      copy: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { body, collection, description, name } = yield* items.get(principal, "card", params.id)
        const copy = {
          name: `${name} - Duplicate`.slice(-254),
          description,
          collection_id: collection,
          ...payload,
          body
        }
        return cardJson(yield* items.create(principal, "card", copy), principal)
      }),
      query: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { body } = yield* items.get(principal, "card", params.id)
        yield* permitAsking(principal)
        const given = yield* withExtendedTimeout(
          withQuestionProblems(
            Effect.flatMap(cardQuestion(body, { principal, sites, given: payload.parameters ?? [] }), (question) =>
              questions.ask(principal, question, { ignoreCache: payload.ignore_cache ?? false })
            )
          )
        )
        return answerJson(given, principal)
      }),
      export: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { body, name } = yield* items.get(principal, "card", params.id)
        yield* permitAsking(principal)
        const question = yield* withQuestionProblems(
          cardQuestion(body, { principal, sites, given: payload.parameters ?? [] })
        )
        return yield* exportResponse({
          principal,
          question,
          format: params.format,
          isFormatted: payload.format_rows ?? true,
          name
        })
      })
    })
  })
)
