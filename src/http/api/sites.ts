import { Effect, Result, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { SiteId } from "../../domain/ids.ts"
import type { Site } from "../../domain/Site.ts"
import type { SiteValues } from "../../domain/siteValues.ts"
import { Settings } from "../../ports/Settings.ts"
import { type SiteCreate, Sites, type SitesError } from "../../ports/Sites.ts"
import { TRACKER_SCRIPT_URL } from "../../settings/settings.ts"
import { AdminApi, type SiteCreateJson, type SiteUpdateJson } from "./Api.ts"
import { Conflict, NotFound, ServiceUnavailable, UnprocessableContent } from "./Problem.ts"
import { publicUrl, siteJson } from "./siteJson.ts"

/** Names of the request's body for the names of the domain. */
const JSON_NAMES: Readonly<Record<string, string>> = {
  domains: "allowed_domains",
  rateLimit: "rate_limit",
  weekStart: "week_start"
}

const pointerOf = (field: string) => {
  const [head = "", ...rest] = field.split("/")
  return ["#", JSON_NAMES[head] ?? head, ...rest].join("/")
}

const unavailable = (error: SitesError) => new ServiceUnavailable({ detail: error.message })
export const notFound = (error: SitesError) =>
  error.reason === "NotFound" ? new NotFound({ detail: error.message }) : unavailable(error)
const unacceptable = (error: SitesError) =>
  new UnprocessableContent({
    detail: error.message,
    errors: (error.issues ?? []).map(({ field, message }) => ({ pointer: pointerOf(field), detail: message }))
  })

/** The id of an address; what is no UUID is the id of no site. */
export const siteIdOf = (text: string): Effect.Effect<SiteId, NotFound> => {
  const id = Schema.decodeUnknownResult(SiteId)(text.toLowerCase())
  return Result.isSuccess(id)
    ? Effect.succeed(id.success)
    : Effect.fail(new NotFound({ detail: `There is no site with the id ${JSON.stringify(text.slice(0, 100))}.` }))
}

const changeOf = (payload: Omit<SiteUpdateJson, "id">): SiteValues => ({
  ...(payload.name !== undefined && { name: payload.name }),
  ...(payload.allowed_domains !== undefined && {
    domains:
      typeof payload.allowed_domains === "string"
        ? payload.allowed_domains.split(/[\s,]+/).filter((domain) => domain !== "")
        : (payload.allowed_domains ?? [])
  }),
  ...(payload.rate_limit !== undefined && {
    rateLimit:
      payload.rate_limit === null
        ? null
        : {
            eventsPerSecond: payload.rate_limit.events_per_second,
            burst: payload.rate_limit.burst ?? Math.max(1, Math.ceil(payload.rate_limit.events_per_second * 2))
          }
  }),
  ...(payload.timezone !== undefined && { timezone: payload.timezone }),
  ...(payload.week_start !== undefined && { weekStart: payload.week_start }),
  ...(payload.currency !== undefined && { currency: payload.currency })
})

const created = ({ id, ...rest }: SiteCreateJson): SiteCreate => ({
  ...changeOf(rest),
  ...(id !== undefined && { id }),
  name: rest.name
})

export const SitesHandlers = HttpApiBuilder.group(
  AdminApi,
  "sites",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const settings = yield* Settings

    const shown = (site: Site) =>
      Effect.map(HttpServerRequest.HttpServerRequest, (request) =>
        siteJson(site, {
          scriptUrl: settings.get(TRACKER_SCRIPT_URL),
          hostUrl: publicUrl(settings, URL.parse(request.originalUrl)?.origin)
        })
      )

    return handlers.handleAll({
      list: ({ query }) =>
        sites.list({ archived: query.archived === "true" }).pipe(
          Effect.mapError(unavailable),
          Effect.flatMap((all) => Effect.forEach(all, shown))
        ),
      create: ({ payload }) =>
        sites.create(created(payload)).pipe(
          Effect.mapError((error) =>
            error.reason === "Conflict"
              ? new Conflict({ detail: error.message })
              : error.reason === "Invalid"
                ? unacceptable(error)
                : unavailable(error)
          ),
          Effect.flatMap(shown)
        ),
      get: ({ params }) =>
        siteIdOf(params.id).pipe(
          Effect.flatMap((id) => Effect.mapError(sites.get(id), notFound)),
          Effect.flatMap(shown)
        ),
      update: ({ params, payload }) =>
        siteIdOf(params.id).pipe(
          Effect.flatMap((id) =>
            Effect.mapError(
              sites.update(id, {
                ...changeOf(payload),
                ...(payload.archived !== undefined && { archived: payload.archived })
              }),
              (error) => (error.reason === "Invalid" ? unacceptable(error) : notFound(error))
            )
          ),
          Effect.flatMap(shown)
        ),
      archive: ({ params }) =>
        siteIdOf(params.id).pipe(
          Effect.flatMap((id) => Effect.mapError(sites.archive(id), notFound)),
          Effect.flatMap(shown)
        )
    })
  })
)
