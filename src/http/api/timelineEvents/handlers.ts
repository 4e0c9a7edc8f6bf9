import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { type SiteId, UUID_PATTERN } from "../../../domain/ids.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { parseSiteId } from "../../../domain/siteValues.ts"
import { TimelineEvents, type TimelineEventsError } from "../../../ports/TimelineEvents.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { authorOf } from "../content/permission.ts"
import { Conflict, Forbidden, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import { mayChangeFor, timelineEventJson } from "./json.ts"

const notFound = (given: string) =>
  new NotFound({ detail: `There is no note with the id ${JSON.stringify(given.slice(0, 100))}.` })

const readProblem = ({ message, reason }: TimelineEventsError) =>
  reason === "NotFound" ? new NotFound({ detail: message }) : new ServiceUnavailable({ detail: message })

const writeProblem = (error: TimelineEventsError) => {
  const { message: detail, reason } = error
  if (reason === "Conflict") return new Conflict({ detail })
  return reason === "Invalid" || reason === "Full" ? new UnprocessableContent({ detail }) : readProblem(error)
}

const siteDenied = new Forbidden({ detail: "You do not have access to this site." })

/** The site of a body, which the principal must be allowed to write notes for. */
const writtenSite = (
  principal: Principal,
  given: string | null
): Effect.Effect<SiteId | null, Forbidden | UnprocessableContent> => {
  const site = given === null ? null : parseSiteId(given)
  if (given !== null && site === null) {
    const detail = `${JSON.stringify(given.slice(0, 100))} is not the id of a site.`
    return Effect.fail(new UnprocessableContent({ detail, errors: [{ pointer: "#/site_id", detail }] }))
  }
  if (mayChangeFor(principal, site)) return Effect.succeed(site)
  return Effect.fail(
    site === null
      ? new Forbidden({ detail: "A note for all sites requires access to every site. Give a `site_id`." })
      : siteDenied
  )
}

export const TimelineEventsHandlers = HttpApiBuilder.group(
  AdminApi,
  "timelineEvents",
  Effect.fn(function* (handlers) {
    const events = yield* TimelineEvents

    /** A note that the principal may see. For anyone else, it does not exist. */
    const get = Effect.fnUntraced(function* (principal: Principal, given: string) {
      if (!UUID_PATTERN.test(given)) return yield* notFound(given)
      const event = yield* Effect.mapError(events.get(given.toLowerCase()), readProblem)
      return event.site === null || principal.seesSite(event.site) ? event : yield* notFound(event.id)
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const principal = yield* CurrentPrincipal
        const site = query.site === undefined ? null : parseSiteId(query.site)
        if (query.site !== undefined && site === null) return []
        if (site !== null && !principal.seesSite(site)) return yield* siteDenied
        const found = yield* Effect.mapError(
          events.list({
            sites: site === null ? principal.siteLimit : [site],
            from: query.from === undefined ? null : new Date(query.from),
            until: query.until === undefined ? null : new Date(query.until),
            archived: query.archived === "true"
          }),
          readProblem
        )
        return found.map((event) => timelineEventJson(event, principal))
      }),
      create: Effect.fnUntraced(function* ({ payload }) {
        const principal = yield* CurrentPrincipal
        const values = {
          site: yield* writtenSite(principal, payload.site_id ?? null),
          at: new Date(payload.timestamp),
          timeMatters: payload.time_matters ?? true,
          name: payload.name,
          description: payload.description ?? null,
          icon: payload.icon ?? "star"
        }
        const created = yield* Effect.mapError(events.create(values, authorOf(principal)), writeProblem)
        return timelineEventJson(created, principal)
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const principal = yield* CurrentPrincipal
        return timelineEventJson(yield* get(principal, params.id), principal)
      }),
      update: Effect.fnUntraced(function* ({ params, payload }) {
        const principal = yield* CurrentPrincipal
        const { id, site } = yield* get(principal, params.id)
        yield* writtenSite(principal, site)
        const { archived, description, icon, name, revision } = payload
        const change = {
          ...(payload.site_id !== undefined && { site: yield* writtenSite(principal, payload.site_id) }),
          ...(payload.timestamp !== undefined && { at: new Date(payload.timestamp) }),
          ...(payload.time_matters !== undefined && { timeMatters: payload.time_matters }),
          ...(name !== undefined && { name }),
          ...(description !== undefined && { description }),
          ...(icon !== undefined && { icon }),
          ...(archived !== undefined && { archived }),
          ...(revision !== undefined && { revision })
        }
        return timelineEventJson(yield* Effect.mapError(events.update(id, change), writeProblem), principal)
      }),
      remove: Effect.fnUntraced(function* ({ params }) {
        const principal = yield* CurrentPrincipal
        const { id, site } = yield* get(principal, params.id)
        yield* writtenSite(principal, site)
        yield* Effect.mapError(events.remove(id), readProblem)
        return { id, deleted: true as const }
      })
    })
  })
)
