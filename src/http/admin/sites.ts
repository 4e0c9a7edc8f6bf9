import { Effect, Result, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { SiteId } from "../../domain/ids.ts"
import type { Site } from "../../domain/Site.ts"
import type { SiteValues } from "../../domain/siteValues.ts"
import { PORT, PUBLIC_URL, TRACKER_SCRIPT_URL } from "../../domain/settings.ts"
import { trackingSnippet } from "../../domain/snippet.ts"
import { Settings } from "../../ports/Settings.ts"
import { type SiteCreate, Sites, type SitesError } from "../../ports/Sites.ts"
import { AdminApi, type SiteCreateJson, type SiteJson, type SiteUpdateJson } from "./Api.ts"
import { Conflict, NotFound, ServiceUnavailable, UnprocessableContent } from "./Problem.ts"

const siteJson = (site: Site, snippet: { readonly scriptUrl: string; readonly hostUrl: string }): SiteJson => ({
  id: site.id,
  uuid: site.id,
  name: site.name,
  allowed_domains: site.domains,
  archived: site.archived,
  rate_limit:
    site.rateLimit === null
      ? null
      : { events_per_second: site.rateLimit.eventsPerSecond, burst: site.rateLimit.burst },
  timezone: site.timezone,
  week_start: site.weekStart,
  currency: site.currency,
  created_at: site.createdAt.toISOString(),
  updated_at: site.updatedAt.toISOString(),
  tracking_snippet: trackingSnippet({ siteId: site.id, ...snippet })
})

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
const notFound = (error: SitesError) =>
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
  ...changeOf(rest), ...(id !== undefined && { id }), name: rest.name })

export const SitesHandlers = HttpApiBuilder.group(
  AdminApi,
  "sites",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const settings = yield* Settings

    /** `PUBLIC_URL`, else this machine; with the free port of `PORT=0`, the address that the request came to. */
    const hostUrl = (request: HttpServerRequest.HttpServerRequest): string => {
      const port = settings.get(PORT)
      if (port !== 0) return settings.get(PUBLIC_URL) ?? `http://localhost:${port}`
      return settings.get(PUBLIC_URL) ?? URL.parse(request.originalUrl)?.origin ?? "http://localhost"
    }
    const shown = (site: Site) =>
      Effect.map(HttpServerRequest.HttpServerRequest, (request) =>
        siteJson(site, { scriptUrl: settings.get(TRACKER_SCRIPT_URL), hostUrl: hostUrl(request) })
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
