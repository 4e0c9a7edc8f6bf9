import { Effect } from "effect"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import type { SiteId } from "../../../domain/ids.ts"
import { defaultBurst, type Site } from "../../../domain/Site.ts"
import type { SiteValues } from "../../../domain/siteValues.ts"
import { Settings } from "../../../ports/Settings.ts"
import { SiteData } from "../../../ports/SiteData.ts"
import { Sites, type SitesError } from "../../../ports/Sites.ts"
import { type SiteCreateJson, type SiteUpdateJson, siteJson } from "../../shared/json/site.ts"
import { snippetUrls } from "../../shared/publicUrl.ts"
import { AdminApi } from "../AdminApi.ts"
import { Conflict, UnprocessableContent } from "../problems.ts"
import { withExtendedTimeout } from "../server/ExtendTimeout.ts"
import { DEFAULT_PAGE } from "./api.ts"
import { deletionProblem } from "./deletionProblem.ts"
import { getSite, siteIdOf, siteNotFound, siteUnavailable } from "./lookup.ts"

/** The body's names of the domain's fields, where they differ. */
const JSON_NAMES: Readonly<Record<string, string>> = {
  domains: "allowed_domains",
  rateLimit: "rate_limit",
  weekStart: "week_start"
}

const pointerTo = (field: string) => {
  const [head = "", ...rest] = field.split("/")
  return ["#", JSON_NAMES[head] ?? head, ...rest].join("/")
}

const invalid = (error: SitesError) =>
  new UnprocessableContent({
    detail: error.message,
    errors: (error.issues ?? []).map(({ field, message }) => ({ pointer: pointerTo(field), detail: message }))
  })

const createProblem = (error: SitesError) => {
  switch (error.reason) {
    case "Conflict":
      return new Conflict({ detail: error.message })
    case "Invalid":
      return invalid(error)
    default:
      return siteUnavailable(error)
  }
}

const updateProblem = (error: SitesError) => (error.reason === "Invalid" ? invalid(error) : siteNotFound(error))

const domainsOf = (given: string | ReadonlyArray<string> | null): ReadonlyArray<string> =>
  typeof given === "string" ? given.split(/[\s,]+/).filter((domain) => domain !== "") : (given ?? [])

const rateLimitOf = (given: NonNullable<SiteUpdateJson["rate_limit"]>) => ({
  eventsPerSecond: given.events_per_second,
  burst: given.burst ?? defaultBurst(given.events_per_second)
})

/** The domain's values of a request's body; absent keys stay absent. */
const siteValues = ({
  name,
  allowed_domains: domains,
  rate_limit: rateLimit,
  timezone,
  week_start: weekStart,
  definitions,
  currency
}: Omit<SiteUpdateJson | SiteCreateJson, "id">): Omit<SiteValues, "id"> => ({
  ...(name !== undefined && { name }),
  ...(domains !== undefined && { domains: domainsOf(domains) }),
  ...(rateLimit !== undefined && { rateLimit: rateLimit === null ? null : rateLimitOf(rateLimit) }),
  ...(timezone !== undefined && { timezone }),
  ...(weekStart !== undefined && { weekStart }),
  ...(definitions !== undefined && { definitions }),
  ...(currency !== undefined && { currency })
})

/** Adds the address of the next page to the response, relative to this one's (RFC 8288). */
const linkToNext = (after: SiteId) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
    const query = new URLSearchParams(url.split("?", 2)[1])
    query.set("after", after)
    return HttpEffect.appendPreResponseHandler((_, response) =>
      Effect.succeed(HttpServerResponse.setHeader(response, "link", `<?${query}>; rel="next"`))
    )
  })

export const SitesHandlers = HttpApiBuilder.group(
  AdminApi,
  "sites",
  Effect.fn(function* (handlers) {
    const sites = yield* Sites
    const settings = yield* Settings
    const data = yield* SiteData

    const toJson = (site: Site) =>
      Effect.map(HttpServerRequest.HttpServerRequest, (request) =>
        siteJson(site, snippetUrls(settings, URL.parse(request.originalUrl)?.origin ?? null))
      )

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query: { after, archived, limit = DEFAULT_PAGE } }) {
        // One more than asked for shows whether there is a next page.
        const found = yield* Effect.mapError(
          sites.list({ archived: archived === "true", limit: limit + 1, ...(after !== undefined && { after }) }),
          siteUnavailable
        )
        const page = found.slice(0, limit)
        if (found.length > limit) yield* linkToNext(page.at(-1)!.id)
        return yield* Effect.forEach(page, toJson)
      }),
      create: ({ payload: { id, ...values } }) =>
        sites
          .create({ ...siteValues(values), ...(id !== undefined && { id }), name: values.name })
          .pipe(Effect.mapError(createProblem), Effect.flatMap(toJson)),
      get: ({ params }) => Effect.flatMap(getSite(sites, params.id), toJson),
      update: Effect.fnUntraced(function* ({ params, payload: { archived, ...values } }) {
        const id = yield* siteIdOf(params.id)
        const change = { ...siteValues(values), ...(archived !== undefined && { archived }) }
        return yield* toJson(yield* Effect.mapError(sites.update(id, change), updateProblem))
      }),
      reset: Effect.fnUntraced(function* ({ params }) {
        const { id } = yield* getSite(sites, params.id)
        const { events, keptVisitors, visitors } = yield* withExtendedTimeout(
          Effect.mapError(data.reset(id), deletionProblem)
        )
        return { events, visitors, kept_visitors: keptVisitors }
      }),
      archive: Effect.fnUntraced(function* ({ params }) {
        const id = yield* siteIdOf(params.id)
        return yield* toJson(yield* Effect.mapError(sites.archive(id), siteNotFound))
      })
    })
  })
)
