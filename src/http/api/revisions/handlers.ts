import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { makeItems } from "../content/items.ts"
import { listedJson } from "../content/json.ts"
import { authorOf } from "../content/permission.ts"
import { readProblem, writeProblem } from "../content/problem.ts"

export const RevisionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "revisions",
  Effect.fn(function* (handlers) {
    const content = yield* Content
    const items = makeItems(content, yield* Collections)
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query: { entity, id } }) {
        const item = yield* items.get(yield* CurrentPrincipal, entity, id)
        const revisions = yield* Effect.mapError(content.revisions(entity, item.id), readProblem)
        return revisions.map(({ at, author, body, change, isCurrent, name, number }) => ({
          id: number,
          is_current: isCurrent,
          is_creation: number === 1,
          description: change,
          user: { id: author.id, common_name: author.name },
          timestamp: at.toISOString(),
          name,
          body
        }))
      }),
      revert: Effect.fnUntraced(function* ({ payload: { entity, id, revision_id: to } }) {
        const principal = yield* CurrentPrincipal
        const item = yield* items.writable(principal, entity, { id })
        const reverted = yield* Effect.mapError(
          content.revert(entity, item.id, { to, author: authorOf(principal) }),
          writeProblem(principal)
        )
        return listedJson(reverted, principal)
      })
    })
  })
)
