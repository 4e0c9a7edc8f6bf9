import { Schema } from "effect"
import { type Collection, MAX_COLLECTION_NAME } from "../../../domain/content/Collection.ts"
import { can, type Principal } from "../../../domain/Principal.ts"
import { type CollectionId, PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { Instant } from "../../shared/json/fields.ts"
import { CollectionOrNullJson, Description, ignored, nameOf, Revision } from "../content/json.ts"

const NAME = { examples: ["Marketing"] }
const Name = nameOf(MAX_COLLECTION_NAME).annotate(NAME)

const fields = {
  id: Schema.Int.annotate({ examples: [2] }),
  entity_id: Schema.String.annotate({ examples: [PRODUCT_ANALYTICS.entityId] }),
  name: Schema.String.annotate(NAME),
  description: Schema.NullOr(Schema.String),
  parent_id: Schema.NullOr(Schema.Int).annotate({
    description:
      "The nearest collection above it that the caller may read; null: none, as above Product Analytics, which is at the top",
    examples: [PRODUCT_ANALYTICS.id]
  }),
  location: Schema.String.annotate({
    description: "The ids of the collections above it that the caller may read",
    examples: ["/1/"]
  }),
  archived: Schema.Boolean.annotate({ examples: [false] }),
  revision: Revision,
  created_at: Instant,
  updated_at: Instant,
  can_write: Schema.Boolean.annotate({ description: "Whether the caller may save in it", examples: [true] })
}

export const CollectionJson = Schema.Struct(fields).annotate({
  identifier: "Collection",
  description: "A folder of saved items."
})

/** A collection in a list of items. */
export const CollectionItemJson = Schema.Struct({ ...fields, model: Schema.Literal("collection") }).annotate({
  identifier: "CollectionItem"
})

export interface CollectionTree {
  readonly id: number
  readonly name: string
  readonly can_write: boolean
  readonly children: ReadonlyArray<CollectionTree>
}
export const CollectionTreeJson: Schema.Codec<CollectionTree> = Schema.Struct({
  id: fields.id,
  name: fields.name,
  can_write: fields.can_write,
  children: Schema.Array(Schema.suspend((): Schema.Codec<CollectionTree> => CollectionTreeJson))
}).annotate({ identifier: "CollectionTree", description: "A collection with those below it." })

export const CollectionCreateJson = Schema.Struct({
  name: Name,
  description: Schema.optionalKey(Description),
  parent_id: Schema.optionalKey(CollectionOrNullJson)
}).annotate({ identifier: "CollectionCreate" })

export const CollectionUpdateJson = Schema.Struct({
  ...ignored("id", "entity_id", "location", "created_at", "updated_at", "can_write"),
  name: Schema.optionalKey(Name),
  description: Schema.optionalKey(Description),
  parent_id: Schema.optionalKey(CollectionOrNullJson),
  archived: Schema.optionalKey(
    Schema.Boolean.annotate({
      description: "`true` moves it to the trash with everything in it, `false` restores what went there with it"
    })
  ),
  revision: Schema.optionalKey(Revision)
}).annotate({ identifier: "CollectionUpdate", description: "Absent keys keep their values." })

const mayWrite = (principal: Principal, path: ReadonlyArray<CollectionId>): boolean =>
  can(principal, "update", { type: "collections", collection: path })

/** The collections above one, as far as the principal may read them. */
const shownAbove = ({ path }: Collection, principal: Principal): ReadonlyArray<CollectionId> =>
  path
    .slice(0, -1)
    .filter((_, index) => can(principal, "read", { type: "collections", collection: path.slice(0, index + 1) }))

/** Where a collection is for the principal: below the nearest one that it may read. Null: at the top. */
export const shownParent = (collection: Collection, principal: Principal): CollectionId | null =>
  shownAbove(collection, principal).at(-1) ?? null

export const collectionJson = (collection: Collection, principal: Principal): typeof CollectionJson.Type => ({
  id: collection.id,
  entity_id: collection.entityId,
  name: collection.name,
  description: collection.description,
  parent_id: shownParent(collection, principal),
  location: `/${shownAbove(collection, principal)
    .map((id) => `${id}/`)
    .join("")}`,
  archived: collection.isArchived,
  revision: collection.revision,
  created_at: collection.createdAt.toISOString(),
  updated_at: collection.updatedAt.toISOString(),
  can_write: mayWrite(principal, collection.path)
})

/** Collections below each other. One whose parent is not among them is at the top. */
export const collectionTree = (
  collections: ReadonlyArray<Collection>,
  principal: Principal
): ReadonlyArray<CollectionTree> => {
  const known = new Set<number>(collections.map(({ id }) => id))
  const byParent = Map.groupBy(collections, (collection) => {
    const parent = shownParent(collection, principal)
    return parent !== null && known.has(parent) ? parent : null
  })
  const below = (parent: number | null): ReadonlyArray<CollectionTree> =>
    (byParent.get(parent as CollectionId | null) ?? []).map(({ id, name, path }) => ({
      id,
      name,
      can_write: mayWrite(principal, path),
      children: below(id)
    }))
  return below(null)
}

export const collectionItemJson = (collection: Collection, principal: Principal): typeof CollectionItemJson.Type => ({
  ...collectionJson(collection, principal),
  model: "collection"
})
