import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import type { CardBody } from "../../../domain/content/Card.ts"
import type { DashboardBody } from "../../../domain/content/Dashboard.ts"
import { type Item, ItemId } from "../../../domain/content/Item.ts"
import type { DashboardParameter } from "../../../domain/content/Parameter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content, type NewItem } from "../../../ports/Content.ts"
import { Sites } from "../../../ports/Sites.ts"
import { Questions } from "../../../query/run/Questions.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { headChange, makeItems } from "../content/items.ts"
import { listedJson } from "../content/json.ts"
import { authorOf, permitAsking } from "../content/permission.ts"
import { writeProblem } from "../content/problem.ts"
import type { GivenParameters } from "../content/runJson.ts"
import { dashcardQuestion, valuesOf } from "../content/savedQuestion.ts"
import { answerJson } from "../dataset/answerJson.ts"
import { makeExportResponse } from "../dataset/exportResponse.ts"
import { withQuestionProblems } from "../dataset/questionProblem.ts"
import { NotFound } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { cardsOf, checkDashboard } from "./checkDashboard.ts"
import { dashboardBodyOf, dashboardJson, NEW_DASHBOARD } from "./json.ts"
import { MAX_CHOICES, parameterChoices } from "./parameterChoice.ts"

/** The values of parameters in an address, by their slugs. */
const valuesInQuery = (url: string, parameters: ReadonlyArray<DashboardParameter>): GivenParameters => {
  const query = new URLSearchParams(url.split("?", 2)[1])
  return parameters.flatMap(({ slug }) => (query.has(slug) ? [{ id: slug, value: query.getAll(slug) }] : []))
}

/** Copies of the questions on a dashboard, and the dashboard with the copies in place of the questions. */
const deepCopy = (
  body: DashboardBody,
  cards: ReadonlyMap<string, Item<CardBody>>,
  collection: NewItem["collection"]
): { readonly copies: ReadonlyArray<NewItem>; readonly body: DashboardBody } => {
  const ids = new Map([...cards.keys()].map((id) => [id, ItemId.make(crypto.randomUUID())]))
  return {
    copies: [...cards.values()].map(({ body: question, description, id, name }) => ({
      id: ids.get(id)!,
      kind: "card",
      name,
      description,
      collection,
      body: question
    })),
    body: {
      ...body,
      dashcards: body.dashcards.map((dashcard) => ({
        ...dashcard,
        card_id: dashcard.card_id === null ? null : (ids.get(dashcard.card_id) ?? dashcard.card_id)
      }))
    }
  }
}

export const DashboardsHandlers = HttpApiBuilder.group(
  AdminApi,
  "dashboards",
  Effect.fn(function* (handlers) {
    const questions = yield* Questions
    const sites = yield* Sites
    const exportResponse = yield* makeExportResponse
    const content = yield* Content
    const items = makeItems(content, yield* Collections)

    const toJson = (dashboard: Item<DashboardBody>, principal: Principal) =>
      Effect.map(cardsOf(content, principal, dashboard.body), (cards) => dashboardJson(dashboard, cards, principal))

    /** A question on a dashboard with the values of the dashboard's parameters. */
    const question = Effect.fnUntraced(function* (
      principal: Principal,
      params: { readonly id: string; readonly dashcard: string; readonly card: string },
      given: GivenParameters
    ) {
      const { body } = yield* items.get(principal, "dashboard", params.id)
      yield* permitAsking(principal)
      const dashcard = body.dashcards.find(
        ({ card_id: card, id }) => id === params.dashcard.toLowerCase() && card === params.card.toLowerCase()
      )
      if (dashcard === undefined) return yield* new NotFound({ detail: "The dashboard has no such card." })
      const card = yield* items.get(principal, "card", params.card)
      const { parameters } = body
      const asked = yield* withQuestionProblems(
        Effect.flatMap(valuesOf(parameters, { principal, sites, given }), (values) =>
          dashcardQuestion(card.body, { dashcard, parameters, values })
        )
      )
      return { asked, name: card.name }
    })

    /** What a parameter may be set to. */
    const choices = Effect.fnUntraced(function* (
      params: { readonly id: string; readonly param: string },
      text: string | null
    ) {
      const principal = yield* CurrentPrincipal
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const { body } = yield* items.get(principal, "dashboard", params.id)
      yield* permitAsking(principal)
      const { parameters } = body
      const parameter =
        parameters.find(({ id }) => id === params.param) ?? parameters.find(({ slug }) => slug === params.param)
      if (parameter === undefined) return yield* new NotFound({ detail: "The dashboard has no such parameter." })
      const named = yield* namedChoices(principal, parameter, text)
      if (named !== null) return { values: named, has_more_values: false }
      const cards = yield* cardsOf(content, principal, body)
      return yield* withQuestionProblems(
        Effect.flatMap(valuesOf(parameters, { principal, sites, given: valuesInQuery(url, parameters) }), (values) =>
          parameterChoices((question) => questions.ask(principal, question), {
            body,
            cards,
            parameter,
            text,
            values,
            isFixed: () => false
          })
        )
      )
    })

    /** Sites, segments and cohorts with their names; null for another parameter. */
    const namedChoices = Effect.fnUntraced(function* (
      principal: Principal,
      { type }: DashboardParameter,
      text: string | null
    ) {
      if (type === "segment" || type === "cohort") {
        const found = yield* items.find(principal, [type], { text, limit: MAX_CHOICES })
        return found.items.map(({ id, name }) => [id, name])
      }
      if (type !== "site") return null
      const all = yield* withQuestionProblems(sites.list({ archived: false }))
      return all
        .filter(({ id, name }) => principal.seesSite(id) && name.toLowerCase().includes((text ?? "").toLowerCase()))
        .map(({ id, name }) => [id, name])
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const principal = yield* CurrentPrincipal
        const { items: found, ...page } = yield* items.find(principal, ["dashboard"], query)
        return { data: found.map((head) => listedJson(head, principal)), ...page }
      }),
      create: Effect.fnUntraced(function* ({ payload }) {
        const principal = yield* CurrentPrincipal
        const body = yield* dashboardBodyOf(payload, NEW_DASHBOARD)
        const cards = yield* checkDashboard({ content, questions }, principal, body, NEW_DASHBOARD)
        return dashboardJson(yield* items.create(principal, "dashboard", { ...payload, body }), cards, principal)
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const principal = yield* CurrentPrincipal
        return yield* toJson(yield* items.get(principal, "dashboard", params.id), principal)
      }),
      update: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { collection_id: collection } = payload
        const dashboard = yield* items.writable(principal, "dashboard", { id: params.id, collection })
        const cards = yield* cardsOf(content, principal, dashboard.body)
        const body = yield* dashboardBodyOf(payload, dashboard.body, cards)
        const isContent = payload.dashcards !== undefined || payload.parameters !== undefined
        if (isContent) yield* checkDashboard({ content, questions }, principal, body, dashboard.body)
        const change = { revision: dashboard.revision, ...headChange(payload), body }
        return yield* toJson(yield* items.update(principal, { ...dashboard, kind: "dashboard" }, change), principal)
      }),
      remove: Effect.fnUntraced(function* ({ params }) {
        return yield* items.remove(yield* CurrentPrincipal, "dashboard", params.id)
      }),
      copy: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { is_deep_copy: isDeep = false, ...given } = payload
        const original = yield* items.get(principal, "dashboard", params.id)
        const collection = given.collection_id ?? (original.isArchived ? PRODUCT_ANALYTICS.id : original.collection)
        yield* items.permitIn(principal, "dashboard", collection)
        const { description, name } = {
          name: `${original.name} - Duplicate`.slice(-254),
          description: original.description,
          ...given
        }
        const cards = yield* cardsOf(content, principal, original.body)
        const { body, copies } = isDeep
          ? deepCopy(original.body, cards, collection)
          : { body: original.body, copies: [] }
        const copy = { kind: "dashboard", name, description, collection, body } as const
        const created = yield* Effect.mapError(
          content.create([...copies, copy], authorOf(principal)),
          writeProblem(principal)
        )
        return yield* toJson(created, principal)
      }),
      query: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { asked } = yield* question(principal, params, payload.parameters ?? [])
        const options = { ignoreCache: payload.ignore_cache ?? false }
        const given = yield* withExtendedTimeout(withQuestionProblems(questions.ask(principal, asked, options)))
        return answerJson(given, principal)
      }),
      export: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { asked, name } = yield* question(principal, params, payload.parameters ?? [])
        return yield* exportResponse({
          principal,
          question: asked,
          format: params.format,
          isFormatted: payload.format_rows ?? true,
          name
        })
      }),
      values: ({ params }) => choices(params, null),
      search: ({ params }) => choices(params, params.query)
    })
  })
)
