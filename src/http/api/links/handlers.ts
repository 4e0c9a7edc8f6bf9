import { Clock, Effect, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import type { ContentLink, LockedTo } from "../../../domain/content/ContentLink.ts"
import type { ParameterValue } from "../../../domain/content/Parameter.ts"
import type { SiteId } from "../../../domain/ids.ts"
import { parseSiteId } from "../../../domain/siteValues.ts"
import { Collections } from "../../../ports/Collections.ts"
import { Content } from "../../../ports/Content.ts"
import { ContentLinks, type ContentLinksError } from "../../../ports/ContentLinks.ts"
import { Settings } from "../../../ports/Settings.ts"
import { ENABLE_EMBEDDING, ENABLE_PUBLIC_SHARING } from "../../../settings/settings.ts"
import { AdminApi } from "../AdminApi.ts"
import { CurrentPrincipal } from "../access.ts"
import { itemIdOf, makeItems } from "../content/items.ts"
import { authorOf } from "../content/permission.ts"
import { BadRequest, NotFound, ServiceUnavailable, UnprocessableContent } from "../problems.ts"
import { filtersNothing, lockedToOf } from "../shared/locks.ts"
import { embeddingJson, publicLinkJson } from "./json.ts"

const invalid = (pointer: string, detail: string) => new UnprocessableContent({ detail, errors: [{ pointer, detail }] })

const appliesToNothing = (pointer: string, name: string) => {
  const detail = `The parameter "${name}" applies to no card of the dashboard, so that a lock would not limit anything.`
  return new BadRequest({ detail, errors: [{ pointer, detail }] })
}

/** A link that cannot be opened yet would only confuse those who get it. */
const requireOn = (settings: Settings["Service"], setting: typeof ENABLE_PUBLIC_SHARING, what: string) =>
  settings.get(setting)
    ? Effect.void
    : Effect.fail(new BadRequest({ detail: `${what} is off on this instance: first set ${setting.env}=on.` }))

const unavailable = ({ message }: ContentLinksError) => new ServiceUnavailable({ detail: message })
const problemOf = (error: ContentLinksError) =>
  error.reason === "Unavailable" ? unavailable(error) : new NotFound({ detail: error.message })
const writeProblem = (error: ContentLinksError) =>
  error.reason === "Full" ? new UnprocessableContent({ detail: error.message }) : problemOf(error)

/** The site of a body. */
const siteOf = (given: string): Effect.Effect<SiteId, UnprocessableContent> => {
  const site = parseSiteId(given)
  return site === null
    ? Effect.fail(invalid("#/site_id", `${JSON.stringify(given.slice(0, 100))} is not the id of a site.`))
    : Effect.succeed(site)
}

interface Chosen {
  readonly locked?: Readonly<Record<string, ParameterValue>>
  readonly hidden?: ReadonlyArray<string>
  readonly exports?: boolean
}

export const LinksHandlers = HttpApiBuilder.group(
  AdminApi,
  "links",
  Effect.fn(function* (handlers) {
    const links = yield* ContentLinks
    const settings = yield* Settings
    const items = makeItems(yield* Content, yield* Collections)

    /** What a link shows, checked against the item's parameters: a lock that locks nothing would show everything. */
    const chosenFor = Effect.fnUntraced(function* (
      { entity, id }: { readonly entity: ContentLink["item"]["kind"]; readonly id: string },
      { exports = false, hidden = [], locked = {} }: Chosen
    ) {
      const principal = yield* CurrentPrincipal
      const item = yield* items.get(principal, entity, id)
      const parameters = item.body.parameters
      const lockedTo: Record<string, LockedTo> = {}
      for (const [place, slugs] of [
        ["locked", Object.keys(locked)],
        ["hidden", hidden]
      ] as const) {
        for (const [index, slug] of slugs.entries()) {
          const pointer = place === "hidden" ? `#/hidden/${index}` : `#/locked/${slug}`
          const parameter = parameters.find((one) => one.slug === slug)
          if (parameter === undefined) return yield* invalid(pointer, `There is no parameter \`${slug}\`.`)
          if (parameter.type === "site") return yield* invalid(pointer, "The site is locked by `site_id`.")
          if (place === "locked" && filtersNothing(locked[slug]!, parameter.type)) {
            return yield* invalid(pointer, "Lock a parameter to a value; without one, it filters nothing.")
          }
          if (place === "locked") {
            lockedTo[slug] = lockedToOf(item.body, parameter)
            if (lockedTo[slug].targets.length === 0) return yield* appliesToNothing(pointer, parameter.name)
          }
        }
      }
      return { item: item.id, author: authorOf(principal), locked, lockedTo, hidden, exports }
    })

    return handlers.handleAll({
      list: () =>
        Effect.mapBoth(links.list("public"), { onSuccess: (all) => all.map(publicLinkJson), onFailure: unavailable }),
      create: Effect.fnUntraced(function* ({ payload }) {
        yield* requireOn(settings, ENABLE_PUBLIC_SHARING, "Public sharing")
        const { entity, expires_at: expires = null, item_id: id } = payload
        const site = yield* siteOf(payload.site_id)
        const expiresAt = expires === null ? null : new Date(expires)
        if (expiresAt !== null && expiresAt.getTime() <= (yield* Clock.currentTimeMillis)) {
          return yield* invalid("#/expires_at", "The link would have expired already.")
        }
        const chosen = yield* chosenFor({ entity, id }, payload)
        return publicLinkJson(yield* Effect.mapError(links.createPublic({ ...chosen, site, expiresAt }), writeProblem))
      }),
      revoke: ({ params: { uuid } }) =>
        Effect.mapBoth(links.revoke(uuid), {
          onSuccess: () => ({ uuid, revoked: true as const }),
          onFailure: problemOf
        }),
      listEmbeddings: () =>
        Effect.mapBoth(links.list("embed"), { onSuccess: (all) => all.map(embeddingJson), onFailure: unavailable }),
      allow: Effect.fnUntraced(function* ({ params, payload }) {
        yield* requireOn(settings, ENABLE_EMBEDDING, "Embedding")
        const { frame_ancestors: frameAncestors = [], site_id: given = null } = payload
        const site = given === null ? null : yield* siteOf(given)
        const chosen = yield* chosenFor(params, payload)
        return embeddingJson(yield* Effect.mapError(links.setEmbed({ ...chosen, site, frameAncestors }), writeProblem))
      }),
      forbid: Effect.fnUntraced(function* ({ params: { entity, id: given } }) {
        const id = yield* itemIdOf(entity, given)
        yield* Effect.mapError(links.removeEmbed(id), problemOf)
        return { id, deleted: true as const }
      }),
      rotate: () =>
        Effect.mapBoth(links.rotateEmbedSecret, {
          onSuccess: (secret) => ({ secret: Redacted.value(secret) }),
          onFailure: unavailable
        })
    })
  })
)
