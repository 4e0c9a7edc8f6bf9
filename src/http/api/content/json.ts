import { Schema } from "effect"
import { type ItemHead, MAX_DESCRIPTION, MAX_ITEM_NAME } from "../../../domain/content/Item.ts"
import type { Principal } from "../../../domain/Principal.ts"
import { CollectionId, PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { Instant, idOrNullOf } from "../../shared/json/fields.ts"
import { mayChange } from "./permission.ts"

export const EXAMPLE_ID = "0d1ce9a6-94a5-4a0e-8d3f-4d8a7c3a2b11"

/** A name without control characters; spaces around it are removed. */
export const nameOf = (maximum: number) =>
  Schema.Trim.check(
    Schema.isNonEmpty({ message: "The name must not be blank." }),
    Schema.isMaxLength(maximum, { message: `The name must have at most ${maximum} characters.` }),
    Schema.isPattern(/^\P{Cc}*$/u, { message: "The name must not contain control characters." })
  )

export const ItemName = nameOf(MAX_ITEM_NAME).annotate({ examples: ["Visits by day"] })
export const Description = Schema.NullOr(Schema.String.check(Schema.isMaxLength(MAX_DESCRIPTION)))

/** Ids are plain strings, because a malformed id is something that does not exist (404), not a malformed request (400). */
export const byId = {
  params: { id: Schema.String.annotate({ description: "The id, a UUID", examples: [EXAMPLE_ID] }) }
}

const COLLECTION = {
  description: `Id of the collection; default: ${PRODUCT_ANALYTICS.id}, Product Analytics`,
  examples: [PRODUCT_ANALYTICS.id]
}
export const CollectionJson = CollectionId.annotate(COLLECTION)
export const CollectionOrNullJson = idOrNullOf("collection", Schema.is(CollectionId)).annotate(COLLECTION)

export const Revision = Schema.Int.annotate({
  description: "Increased by each change. Send the one that you have read, and a change on top of another's is a 409",
  examples: [1]
})

const Ignored = Schema.optionalKey(
  Schema.Unknown.annotate({ description: "Ignored, so that a response can be edited and sent back" })
)

/** Marks keys of responses as ignored in updates. */
export const ignored = <const Key extends string>(...keys: ReadonlyArray<Key>) =>
  Object.fromEntries(keys.map((key) => [key, Ignored])) as { readonly [K in Key]: typeof Ignored }

/** What every item's response has. */
export const headFields = {
  id: Schema.String.annotate({ format: "uuid", examples: [EXAMPLE_ID] }),
  entity_id: Schema.String.annotate({ description: "Same as `id`", examples: [EXAMPLE_ID] }),
  name: Schema.String.annotate({ examples: ["Visits by day"] }),
  description: Schema.NullOr(Schema.String),
  collection_id: Schema.Int.annotate({ examples: [PRODUCT_ANALYTICS.id] }),
  archived: Schema.Boolean.annotate({ description: "Whether it is in the trash", examples: [false] }),
  shipped: Schema.Boolean.annotate({
    description: "Whether it ships with Footfall: it can be duplicated, but not changed",
    examples: [false]
  }),
  revision: Revision,
  creator_id: Schema.NullOr(Schema.String).annotate({ description: "Id of the user or key that created it" }),
  creator: Schema.Struct({ common_name: Schema.String.annotate({ examples: ["Ada Lovelace"] }) }),
  created_at: Instant,
  updated_at: Instant,
  can_write: Schema.Boolean.annotate({ description: "Whether the caller may change it", examples: [true] })
}

/** Keys of {@link headFields} that an update may contain and does not change. */
export const ignoredHead = ignored(
  "id",
  "entity_id",
  "shipped",
  "creator_id",
  "creator",
  "created_at",
  "updated_at",
  "can_write"
)

/** Keys that every update may change. */
export const changeFields = {
  name: Schema.optionalKey(ItemName),
  description: Schema.optionalKey(Description),
  collection_id: Schema.optionalKey(CollectionJson),
  archived: Schema.optionalKey(
    Schema.Boolean.annotate({ description: "`true` moves it to the trash, `false` restores it", examples: [false] })
  ),
  revision: Schema.optionalKey(Revision)
}

export const createFields = {
  name: ItemName,
  description: Schema.optionalKey(Description),
  collection_id: Schema.optionalKey(CollectionOrNullJson)
}

export const CopyJson = Schema.Struct({
  name: Schema.optionalKey(ItemName.annotate({ description: "Default: the name with ` - Duplicate`" })),
  description: Schema.optionalKey(Description),
  collection_id: Schema.optionalKey(CollectionOrNullJson)
})

export const DeletedJson = Schema.Struct({ id: Schema.String, deleted: Schema.Literal(true) })

/** An item in a response. */
export const headJson = (head: ItemHead, principal: Principal) => ({
  id: head.id,
  entity_id: head.id,
  name: head.name,
  description: head.description,
  collection_id: head.collection,
  archived: head.isArchived,
  shipped: head.isShipped,
  revision: head.revision,
  creator_id: head.author.id,
  creator: { common_name: head.author.name },
  created_at: head.createdAt.toISOString(),
  updated_at: head.updatedAt.toISOString(),
  can_write: mayChange(principal, head)
})

/** An item in a list. */
export const HeadJson = Schema.Struct({
  ...headFields,
  model: Schema.String.annotate({ examples: ["card"] })
}).annotate({
  identifier: "SavedItem",
  description: "A card, dashboard, segment or cohort, without its content."
})

export const listedJson = (head: ItemHead, principal: Principal): typeof HeadJson.Type => ({
  ...headJson(head, principal),
  model: head.kind
})

/** Items in one response. */
export const MAX_PAGE = 500
export const DEFAULT_PAGE = 100

const whole = (minimum: number, maximum: number) =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum }))

export const pageQuery = {
  archived: Schema.optionalKey(
    Schema.Literals(["true", "false"]).annotate({ description: "`true` lists the trash instead" })
  ),
  limit: Schema.optionalKey(
    whole(1, MAX_PAGE).annotate({ description: `1 to ${MAX_PAGE}; default: ${DEFAULT_PAGE}`, examples: [DEFAULT_PAGE] })
  ),
  offset: Schema.optionalKey(whole(0, 1_000_000).annotate({ description: "How many to skip", examples: [0] }))
}

/** One page of a longer list. */
export const pageOf = <Item extends Schema.Top>(item: Item) =>
  Schema.Struct({
    data: Schema.Array(item),
    total: Schema.Int.annotate({ description: "How many there are", examples: [1] }),
    limit: Schema.Int.annotate({ examples: [DEFAULT_PAGE] }),
    offset: Schema.Int.annotate({ examples: [0] })
  })
