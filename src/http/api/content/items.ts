import { Effect } from "effect"
import type { Bodies } from "../../../domain/content/bodies.ts"
import type { Collection } from "../../../domain/content/Collection.ts"
import { type Item, ItemId, type ItemKind } from "../../../domain/content/Item.ts"
import { UUID_PATTERN } from "../../../domain/ids.ts"
import { type Action, can, type Principal, type ResourceType } from "../../../domain/Principal.ts"
import { type CollectionId, PRODUCT_ANALYTICS } from "../../../domain/people.ts"
import { type Collections, type CollectionsError, collectionNotFound } from "../../../ports/Collections.ts"
import { type Content, type ItemChange, itemNotFound } from "../../../ports/Content.ts"
import { Forbidden, NotFound, UnprocessableContent } from "../problems.ts"
import { DEFAULT_PAGE } from "./json.ts"
import { authorOf, inCollection, mayRead, permit, RESOURCE_OF, SHIPPED_DENIAL } from "./permission.ts"
import { type ReadProblem, readProblem, type WriteProblem, writeProblem } from "./problem.ts"

/** The id in a path. A malformed one is reported as something that does not exist. */
export const itemIdOf = (kind: ItemKind, given: string): Effect.Effect<ItemId, NotFound> =>
  UUID_PATTERN.test(given)
    ? Effect.succeed(ItemId.make(given.toLowerCase()))
    : Effect.fail(new NotFound({ detail: itemNotFound(kind, given).message }))

export const collectionProblem = ({ message, reason }: { readonly message: string; readonly reason: string }) =>
  readProblem({ message, reason } as Parameters<typeof readProblem>[0])

/** A page of a list. */
export interface Page {
  readonly archived?: "true" | "false"
  readonly limit?: number
  readonly offset?: number
}

/** The collections in which the principal may do this. */
export const permittedCollections = (
  all: ReadonlyArray<Collection>,
  principal: Principal,
  [action, type]: readonly [Action, ResourceType]
): ReadonlyArray<Collection> => all.filter(({ path }) => can(principal, action, { type, collection: path }))

/** A collection that the principal may read. For anyone else, it does not exist. */
export const readableCollection = (
  collections: Collections["Service"],
  principal: Principal,
  id: CollectionId
): Effect.Effect<Collection, CollectionsError> =>
  Effect.filterOrFail(
    collections.get(id),
    ({ path }) => can(principal, "read", { type: "collections", collection: path }),
    () => collectionNotFound(id)
  )

/** What the handlers of every kind of item do. */
export const makeItems = (content: Content["Service"], collections: Collections["Service"]) => {
  /** An item that the principal may read. For anyone else, it does not exist. */
  const get = <Kind extends ItemKind>(
    principal: Principal,
    kind: Kind,
    given: string
  ): Effect.Effect<Item<Bodies[Kind]>, ReadProblem> =>
    Effect.gen(function* () {
      const id = yield* itemIdOf(kind, given)
      const found = Effect.filterOrFail(
        content.get(kind, id),
        (item) => mayRead(principal, item),
        () => itemNotFound(kind, id)
      )
      return yield* Effect.mapError(found, readProblem)
    })

  /** Fails unless the principal may save items of this kind in the collection. */
  const permitIn = (principal: Principal, kind: ItemKind, id: CollectionId): Effect.Effect<void, WriteProblem> =>
    Effect.gen(function* () {
      const { path } = yield* Effect.mapError(readableCollection(collections, principal, id), (error) =>
        error.reason === "NotFound"
          ? new UnprocessableContent({
              detail: error.message,
              errors: [{ pointer: "#/collection_id", detail: error.message }]
            })
          : collectionProblem(error)
      )
      yield* permit(principal, "create", { type: RESOURCE_OF[kind], path })
    })

  /** An item that the principal may change, and the check that it may be saved where the change moves it. */
  const writable = <Kind extends ItemKind>(
    principal: Principal,
    kind: Kind,
    target: { readonly id: string; readonly collection?: CollectionId | undefined }
  ): Effect.Effect<Item<Bodies[Kind]>, WriteProblem> =>
    Effect.gen(function* () {
      const item = yield* get(principal, kind, target.id)
      if (item.isShipped) return yield* new Forbidden({ detail: SHIPPED_DENIAL })
      yield* permit(principal, "update", inCollection(item))
      if (target.collection !== undefined && target.collection !== item.collection) {
        yield* permitIn(principal, kind, target.collection)
      }
      return item
    })

  return {
    get,
    permitIn,
    writable,
    /** A page of the items of these kinds in collections that the principal may read. */
    find: Effect.fnUntraced(function* (
      principal: Principal,
      kinds: ReadonlyArray<ItemKind>,
      {
        in: within,
        text = null,
        ...page
      }: Page & { readonly text?: string | null; readonly in?: CollectionId | undefined }
    ) {
      const all = yield* Effect.mapError(collections.list, collectionProblem)
      const readable = permittedCollections(all, principal, ["read", RESOURCE_OF[kinds[0] ?? "card"]])
        .map(({ id }) => id)
        .filter((id) => within === undefined || id === within)
      const { limit = DEFAULT_PAGE, offset = 0 } = page
      const { items, total } = yield* Effect.mapError(
        content.find({ kinds, text, collections: readable, archived: page.archived === "true", limit, offset }),
        readProblem
      )
      return { items, total, limit, offset }
    }),
    /** Saves a new item, where the principal may. */
    create: Effect.fnUntraced(function* <Kind extends ItemKind>(
      principal: Principal,
      kind: Kind,
      values: {
        readonly name: string
        readonly description?: string | null | undefined
        readonly collection_id?: CollectionId | null | undefined
        readonly body: Bodies[Kind]
      }
    ) {
      const collection = values.collection_id ?? PRODUCT_ANALYTICS.id
      yield* permitIn(principal, kind, collection)
      const { body, description = null, name } = values
      return yield* Effect.mapError(
        content.create([{ kind, name, description, collection, body }], authorOf(principal)),
        writeProblem(principal)
      )
    }),
    update: <Kind extends ItemKind>(
      principal: Principal,
      item: Item<Bodies[Kind]> & { readonly kind: Kind },
      change: Omit<ItemChange<Kind>, "author">
    ) =>
      Effect.mapError(
        content.update(item.kind, item.id, { ...change, author: authorOf(principal) }),
        writeProblem(principal)
      ),
    /** Deletes an item from the trash for good. */
    remove: Effect.fnUntraced(function* (principal: Principal, kind: ItemKind, given: string) {
      const { id } = yield* writable(principal, kind, { id: given })
      yield* Effect.mapError(content.remove(kind, id), writeProblem(principal))
      return { id, deleted: true as const }
    })
  }
}

/** What a change of an item's own fields is, without its content. */
export const headChange = ({
  archived,
  collection_id: collection,
  description,
  name,
  revision
}: {
  readonly name?: string
  readonly description?: string | null
  readonly collection_id?: CollectionId
  readonly archived?: boolean
  readonly revision?: number
}) => ({
  ...(name !== undefined && { name }),
  ...(description !== undefined && { description }),
  ...(collection !== undefined && { collection }),
  ...(archived !== undefined && { archived }),
  ...(revision !== undefined && { revision })
})
