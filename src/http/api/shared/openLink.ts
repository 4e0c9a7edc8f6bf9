import { Clock, Effect, Redacted, Schema } from "effect"
import { jwtVerify } from "jose"
import { type ContentLink, PUBLIC_LINK_ID, type SharedKind } from "../../../domain/content/ContentLink.ts"
import { ItemId } from "../../../domain/content/Item.ts"
import { ParameterValue } from "../../../domain/content/Parameter.ts"
import { type SiteId, UUID_PATTERN } from "../../../domain/ids.ts"
import { Principal } from "../../../domain/Principal.ts"
import { PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { parseSiteId } from "../../../domain/siteValues.ts"
import type { ContentLinks, ContentLinksError } from "../../../ports/ContentLinks.ts"
import { BadRequest, NotFound, ServiceUnavailable } from "../problems.ts"

/** A link that may be used now, and for what. */
export interface OpenedLink {
  readonly link: ContentLink
  readonly site: SiteId
  /** Values of parameters by their slugs. Visitors neither see nor change them. */
  readonly locked: Readonly<Record<string, ParameterValue>>
  readonly principal: Principal
}

/** The same for every reason, so that nothing can be learned from it. */
const NO_LINK = new NotFound({ detail: "This link does not exist, has expired or was revoked." })
export const NO_TOKEN = new BadRequest({
  detail: "The token is malformed, has expired, or was not signed with this instance's secret for this item."
})

const unavailable = ({ message }: ContentLinksError) => new ServiceUnavailable({ detail: message })

/** A visitor who follows a link may read, and only one site. */
const visitorOf = ({ id, kind }: ContentLink, site: SiteId): Principal =>
  new Principal({
    kind: "link",
    id,
    name: kind === "public" ? "public link" : "embed",
    isReadOnly: true,
    siteLimit: [site],
    levels: [new Map([[PRODUCT_ANALYTICS.id, "read"]])]
  })

/** A public link by its id. */
export const openPublic = Effect.fnUntraced(function* (links: ContentLinks["Service"], kind: SharedKind, id: string) {
  if (!PUBLIC_LINK_ID.test(id)) return yield* NO_LINK
  const link = yield* Effect.mapError(links.findPublic(id), unavailable)
  if (link === null || link.item.kind !== kind || link.site === null) return yield* NO_LINK
  const { locked, site } = link
  return { link, site, locked, principal: visitorOf(link, site) } satisfies OpenedLink
})

/** What a token says. Metabase's clients sign the same. */
const Claims = Schema.Struct({
  resource: Schema.Union([Schema.Struct({ dashboard: Schema.String }), Schema.Struct({ question: Schema.String })]),
  params: Schema.optionalKey(Schema.Record(Schema.String, ParameterValue)),
  exp: Schema.Finite,
  iat: Schema.optionalKey(Schema.Finite),
  nbf: Schema.optionalKey(Schema.Finite)
})
const decodeClaims = Schema.decodeUnknownResult(Claims, { onExcessProperty: "error" })

/** Clocks of two servers may differ by this. */
const CLOCK_TOLERANCE = "30 seconds"
/** In characters. Longer tokens are not checked. */
const MAX_TOKEN_LENGTH = 8_192

/** The claims of a token that was signed with the secret and has not expired. */
const verify = (token: string, secret: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    if (token.length > MAX_TOKEN_LENGTH) return yield* NO_TOKEN
    const currentDate = new Date(yield* Clock.currentTimeMillis)
    const { payload } = yield* Effect.tryPromise({
      try: () =>
        jwtVerify(token, new TextEncoder().encode(Redacted.value(secret)), {
          algorithms: ["HS256"],
          requiredClaims: ["exp"],
          clockTolerance: CLOCK_TOLERANCE,
          currentDate
        }),
      catch: () => NO_TOKEN
    })
    return yield* Effect.mapError(Effect.fromResult(decodeClaims(payload)), () => NO_TOKEN)
  })

/** The site that a token names as the parameter `site`, and the other parameters. */
const siteIn = ({ site, ...params }: Readonly<Record<string, ParameterValue>>) => ({
  site: typeof site === "string" ? parseSiteId(site) : null,
  hasSite: site !== undefined,
  params
})

/** The embed that a token was signed for. */
export const openEmbed = Effect.fnUntraced(function* (links: ContentLinks["Service"], kind: SharedKind, token: string) {
  const secret = yield* Effect.mapError(links.embedSecret, unavailable)
  if (secret === null) return yield* NO_TOKEN
  const claims = yield* verify(token, secret)
  const id = kind === "dashboard" && "dashboard" in claims.resource ? claims.resource.dashboard : null
  const question = kind === "card" && "question" in claims.resource ? claims.resource.question : null
  const item = id ?? question
  if (item === null || !UUID_PATTERN.test(item)) return yield* NO_TOKEN
  const link = yield* Effect.mapError(links.findEmbed(ItemId.make(item.toLowerCase())), unavailable)
  if (link === null || link.item.kind !== kind) {
    return yield* new NotFound({ detail: "This item does not exist, or is not allowed to be embedded." })
  }
  const { hasSite, params, site: named } = siteIn(claims.params ?? {})
  const site = link.site ?? named
  if (site === null || (hasSite && named !== site)) {
    return yield* new BadRequest({ detail: 'The token\'s `params` must name the site: `{"site": "…"}`.' })
  }
  // What the instance locked stays locked.
  return { link, site, locked: { ...params, ...link.locked }, principal: visitorOf(link, site) } satisfies OpenedLink
})
