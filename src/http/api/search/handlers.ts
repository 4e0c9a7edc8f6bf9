import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { findAll } from "../collections/findAll.ts"
import { makeItems } from "../content/items.ts"

export const SearchHandlers = HttpApiBuilder.group(
  AdminApi,
  "search",
  Effect.fn(function* (handlers) {
    const collections = yield* Collections
    const items = makeItems(yield* Content, collections)
    return handlers.handleAll({
      search: Effect.fnUntraced(function* ({ query: { q, ...query } }) {
        const text = q === undefined || q.trim() === "" ? null : q.trim()
        return yield* findAll({ collections, items }, yield* CurrentPrincipal, { ...query, text, parent: null })
      })
    })
  })
)
