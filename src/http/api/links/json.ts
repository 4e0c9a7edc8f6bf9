import { Schema } from "effect"
import type { ContentLink } from "../../../domain/content/ContentLink.ts"
import { MAX_PARAMETERS, ParameterValue } from "../../../domain/content/Parameter.ts"
import { EXAMPLE, Instant } from "../../shared/json/fields.ts"
import { EXAMPLE_ID } from "../content/json.ts"
import { Timestamp } from "../timelineEvents/json.ts"

const Slug = Schema.String.check(Schema.isPattern(/^[\w-]{1,64}$/))
const EXAMPLE_LINK = "5f0c2f1f9a8b4d1c8e7f6a5b4c3d2e1f"

export const Entity = Schema.Literals(["card", "dashboard"]).annotate({ examples: ["dashboard"] })

const chosen = {
  locked: Schema.Record(Slug, ParameterValue).annotate({
    description: "Values of parameters by their slugs, which visitors neither see nor change",
    examples: [{ country: ["DE"] }]
  }),
  hidden: Schema.Array(Slug)
    .check(Schema.isMaxLength(MAX_PARAMETERS))
    .annotate({
      description: "Slugs of parameters that visitors neither see nor change; their defaults apply",
      examples: [["device"]]
    }),
  exports: Schema.Boolean.annotate({ description: "Whether visitors may download answers as files", examples: [false] })
}
const Ancestors = Schema.Array(
  Schema.String.check(
    Schema.isPattern(/^(?:'self'|https?:\/\/(?:\*\.)?[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,250}[a-zA-Z0-9])?(?::\d{1,5})?)$/, {
      message: "Give an origin such as `https://www.example.com` or `https://*.example.com`, or `'self'`."
    })
  )
)
  .check(Schema.isMaxLength(20))
  .annotate({
    description: "Pages that may show it in a frame, as in the directive `frame-ancestors`",
    examples: [["https://www.example.com"]]
  })

const SITE = { description: "The only site that it shows", examples: [EXAMPLE.siteId] }

const shared = {
  entity: Entity,
  item_id: Schema.String.annotate({ format: "uuid", examples: [EXAMPLE_ID] }),
  name: Schema.String.annotate({ description: "The item's name", examples: ["Overview"] }),
  ...chosen,
  creator: Schema.Struct({ common_name: Schema.String }),
  created_at: Instant
}

export const PublicLinkJson = Schema.Struct({
  uuid: Schema.String.annotate({ description: "The key to it: 128 random bits", examples: [EXAMPLE_LINK] }),
  path: Schema.String.annotate({ examples: [`/api/public/dashboard/${EXAMPLE_LINK}`] }),
  site_id: Schema.String.annotate(SITE),
  expires_at: Schema.NullOr(Instant),
  ...shared
}).annotate({ identifier: "PublicLink", description: "Anyone who has it sees the item without signing in." })

export const PublicLinkCreateJson = Schema.Struct({
  entity: Entity,
  item_id: Schema.String.annotate({ examples: [EXAMPLE_ID] }),
  site_id: Schema.String.annotate(SITE),
  locked: Schema.optionalKey(chosen.locked),
  hidden: Schema.optionalKey(chosen.hidden),
  exports: Schema.optionalKey(chosen.exports),
  expires_at: Schema.optionalKey(Schema.NullOr(Timestamp))
}).annotate({ identifier: "PublicLinkCreate" })

export const EmbeddingJson = Schema.Struct({
  site_id: Schema.NullOr(Schema.String).annotate({
    ...SITE,
    description: `${SITE.description}; null: the token names it`
  }),
  frame_ancestors: Ancestors,
  ...shared
}).annotate({ identifier: "Embedding", description: "How an item may be embedded." })

export const EmbeddingUpdateJson = Schema.Struct({
  site_id: Schema.optionalKey(Schema.NullOr(Schema.String).annotate(SITE)),
  locked: Schema.optionalKey(chosen.locked),
  hidden: Schema.optionalKey(chosen.hidden),
  exports: Schema.optionalKey(chosen.exports),
  frame_ancestors: Schema.optionalKey(Ancestors)
}).annotate({ identifier: "EmbeddingUpdate" })

const sharedJson = (link: ContentLink) => ({
  entity: link.item.kind,
  item_id: link.item.id,
  name: link.item.name,
  locked: link.locked,
  hidden: link.hidden,
  exports: link.exports,
  creator: { common_name: link.author.name },
  created_at: link.createdAt.toISOString()
})

export const publicLinkJson = (link: ContentLink): typeof PublicLinkJson.Type => ({
  uuid: link.id,
  path: `/api/public/${link.item.kind}/${link.id}`,
  // A public link always has one.
  site_id: link.site ?? "",
  expires_at: link.expiresAt?.toISOString() ?? null,
  ...sharedJson(link)
})

export const embeddingJson = (link: ContentLink): typeof EmbeddingJson.Type => ({
  site_id: link.site,
  frame_ancestors: link.frameAncestors,
  ...sharedJson(link)
})
