import { Effect } from "effect"
import type { Collection } from "../../../domain/content/Collection.ts"
import type { ItemKind } from "../../../domain/content/Item.ts"
import type { Principal } from "../../../domain/Principal.ts"
import type { CollectionId } from "../../../domain/people.ts"
import type { Collections } from "../../../ports/Collections.ts"
import { collectionProblem, type makeItems, type Page, permittedCollections } from "../content/items.ts"
import { DEFAULT_PAGE, listedJson } from "../content/json.ts"
import { MODELS } from "./api.ts"
import { collectionItemJson, shownParent } from "./json.ts"

type Model = (typeof MODELS)[number]

interface Criteria extends Page {
  readonly models?: Model | ReadonlyArray<Model>
  /** Part of the name or description; null: any. */
  readonly text: string | null
  /** Only what is directly in this collection; null: in any. */
  readonly parent: CollectionId | null
}

const isMeant = (collection: Collection, principal: Principal, criteria: Criteria): boolean => {
  const { description, isArchived, name } = collection
  const text = criteria.text?.toLowerCase() ?? ""
  return (
    isArchived === (criteria.archived === "true") &&
    (criteria.parent === null || shownParent(collection, principal) === criteria.parent) &&
    (name.toLowerCase().includes(text) || (description ?? "").toLowerCase().includes(text))
  )
}

/** A page of collections and items that the principal may read: collections first, then items, each in the order of their names. */
export const findAll = Effect.fnUntraced(function* (
  {
    collections,
    items
  }: { readonly collections: Collections["Service"]; readonly items: ReturnType<typeof makeItems> },
  principal: Principal,
  criteria: Criteria
) {
  const { archived, limit = DEFAULT_PAGE, models = MODELS, offset = 0, parent, text } = criteria
  const asked: ReadonlyArray<Model> = [models].flat()
  const folders = asked.includes("collection")
    ? permittedCollections(yield* Effect.mapError(collections.list, collectionProblem), principal, [
        "read",
        "collections"
      ]).filter((collection) => isMeant(collection, principal, criteria))
    : []
  const shown = folders.slice(offset, offset + limit)
  const kinds = asked.filter((model): model is ItemKind => model !== "collection")
  // A page of collections only still needs the number of items.
  const found = yield* items.find(principal, kinds, {
    text,
    ...(archived !== undefined && { archived }),
    ...(parent !== null && { in: parent }),
    limit: Math.max(1, limit - shown.length),
    offset: Math.max(0, offset - folders.length)
  })
  return {
    data: [
      ...shown.map((collection) => collectionItemJson(collection, principal)),
      ...found.items.slice(0, limit - shown.length).map((head) => listedJson(head, principal))
    ],
    total: folders.length + found.total,
    limit,
    offset
  }
})
