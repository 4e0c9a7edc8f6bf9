import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { DashboardBody } from "../../../domain/content/Dashboard.ts"
import type { ItemKind, Revision } from "../../../domain/content/Item.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { makeItems } from "../content/items.ts"
import { listedJson } from "../content/json.ts"
import { authorOf } from "../content/permission.ts"
import { readProblem, writeProblem } from "../content/problem.ts"
import { cardsOf } from "../dashboards/checkDashboard.ts"
import { shownDashcard } from "../dashboards/json.ts"

export const RevisionsHandlers = HttpApiBuilder.group(
  AdminApi,
  "revisions",
  Effect.fn(function* (handlers) {
    const content = yield* Content
    const items = makeItems(content, yield* Collections)

    /** What was in the revisions, without the questions on dashboards that the principal may not read. */
    const shownBodies = Effect.fnUntraced(function* (
      principal: Principal,
      kind: ItemKind,
      revisions: ReadonlyArray<Revision>
    ) {
      const bodies = revisions.map(({ body }) => body)
      if (kind !== "dashboard") return bodies
      const dashboards = bodies as ReadonlyArray<DashboardBody>
      const cards = yield* cardsOf(content, principal, { dashcards: dashboards.flatMap(({ dashcards }) => dashcards) })
      return dashboards.map(({ dashcards, ...body }) => ({
        ...body,
        dashcards: dashcards.map((dashcard) => shownDashcard(dashcard, cards))
      }))
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query: { entity, id } }) {
        const principal = yield* CurrentPrincipal
        const item = yield* items.get(principal, entity, id)
        const revisions = yield* Effect.mapError(content.revisions(entity, item.id), readProblem)
        const bodies = yield* shownBodies(principal, entity, revisions)
        return revisions.map(({ at, author, change, isCurrent, name, number }, index) => ({
          id: number,
          is_current: isCurrent,
          is_creation: number === 1,
          description: change,
          user: { id: author.id, common_name: author.name },
          timestamp: at.toISOString(),
          name,
          body: bodies[index]
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
