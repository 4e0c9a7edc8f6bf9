import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { SavedFilter } from "../../../domain/content/SavedFilter.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { Questions } from "../../../query/run/Questions.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { checkQuestion } from "../content/checkQuestion.ts"
import { headChange, makeItems } from "../content/items.ts"
import { type CopyJson, listedJson, type pageQuery } from "../content/json.ts"
import { type FilterCreateJson, type FilterUpdateJson, filterJson } from "./json.ts"

interface ById {
  readonly params: { readonly id: string }
}
type Query = { readonly [Key in keyof typeof pageQuery]?: (typeof pageQuery)[Key]["Type"] }

/** What segments and cohorts have in common: everything but their meaning. */
const makeHandlers = Effect.fnUntraced(function* (kind: "segment" | "cohort") {
  const questions = yield* Questions
  const items = makeItems(yield* Content, yield* Collections)

  /** Both are conditions on events. */
  const check = (principal: Principal, filter: SavedFilter) => {
    const json = { fql: 1, type: "query", source: "v_pa_events", filter, aggregation: [["count"]] }
    return checkQuestion(questions, principal, { json, pointer: "" })
  }

  return {
    list: Effect.fnUntraced(function* ({ query }: { readonly query: Query }) {
      const principal = yield* CurrentPrincipal
      const { items: found, ...page } = yield* items.find(principal, [kind], query)
      return { data: found.map((head) => listedJson(head, principal)), ...page }
    }),
    create: Effect.fnUntraced(function* ({ payload }: { readonly payload: typeof FilterCreateJson.Type }) {
      const principal = yield* CurrentPrincipal
      const { filter, ...values } = payload
      yield* check(principal, filter)
      return filterJson(yield* items.create(principal, kind, { ...values, body: { filter } }), principal)
    }),
    get: Effect.fnUntraced(function* ({ params }: ById) {
      const principal = yield* CurrentPrincipal
      return filterJson(yield* items.get(principal, kind, params.id), principal)
    }),
    update: Effect.fnUntraced(function* ({
      params,
      payload
    }: ById & { readonly payload: typeof FilterUpdateJson.Type }) {
      const principal = yield* CurrentPrincipal
      const { filter } = payload
      const item = yield* items.writable(principal, kind, { id: params.id, collection: payload.collection_id })
      if (filter !== undefined) yield* check(principal, filter)
      const change = { ...headChange(payload), ...(filter !== undefined && { body: { filter } }) }
      return filterJson(yield* items.update(principal, { ...item, kind }, change), principal)
    }),
    remove: Effect.fnUntraced(function* ({ params }: ById) {
      return yield* items.remove(yield* CurrentPrincipal, kind, params.id)
    }),
    copy: Effect.fnUntraced(function* ({ params, payload }: ById & { readonly payload: typeof CopyJson.Type }) {
      const principal = yield* CurrentPrincipal
      const { body, collection, description, name } = yield* items.get(principal, kind, params.id)
      const copy = { name: `${name} - Duplicate`.slice(-254), description, collection_id: collection, ...payload, body }
      return filterJson(yield* items.create(principal, kind, copy), principal)
    })
  }
})

export const SegmentsHandlers = HttpApiBuilder.group(
  AdminApi,
  "segments",
  Effect.fn(function* (handlers) {
    return handlers.handleAll(yield* makeHandlers("segment"))
  })
)

export const CohortsHandlers = HttpApiBuilder.group(
  AdminApi,
  "cohorts",
  Effect.fn(function* (handlers) {
    return handlers.handleAll(yield* makeHandlers("cohort"))
  })
)
