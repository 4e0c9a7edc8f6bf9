import { Context, type Effect, Schema } from "effect"
import { type Bodies, KIND_NAMES } from "../domain/content/bodies.ts"
import { type Author, type Item, ItemHead, type ItemId, type ItemKind, type Revision } from "../domain/content/Item.ts"
import type { CollectionId } from "../domain/people.ts"

/** A new card, dashboard, segment or cohort. Without an `id`, it gets a random UUIDv4. */
export interface NewItem<Kind extends ItemKind = ItemKind> {
  readonly id?: ItemId
  readonly kind: Kind
  readonly name: string
  readonly description: string | null
  readonly collection: CollectionId
  readonly body: Bodies[Kind]
}

/** A change of an item: absent keys keep their values. */
export interface ItemChange<Kind extends ItemKind = ItemKind> {
  readonly name?: string
  readonly description?: string | null
  readonly collection?: CollectionId
  readonly archived?: boolean
  readonly body?: Bodies[Kind]
  /** The revision that the change is based on. If there is a newer one, the change is a `Conflict`. */
  readonly revision?: number
  readonly author: Author
}

/** Which items to find. */
export interface ItemCriteria {
  readonly kinds: ReadonlyArray<ItemKind>
  /** Part of the name or description; null: any. */
  readonly text: string | null
  /** Only those directly in one of these collections; null: in any. */
  readonly collections: ReadonlyArray<CollectionId> | null
  /** Those in the trash, instead of the others. */
  readonly archived: boolean
  readonly limit: number
  readonly offset: number
}

/** An item that ships with Footfall: its checksum changes with its content. */
export interface ShippedItem extends NewItem {
  readonly id: ItemId
  readonly checksum: string
}

/**
 * - `NotFound`: there is no such item.
 * - `Invalid`: it refers to something that does not exist, or has another invalid value.
 * - `Conflict`: there is a newer revision.
 * - `InUse`: others need it; `usedBy` has them.
 * - `Shipped`: it ships with Footfall, and can't be changed.
 * - `Full`: the instance has as many as it may have.
 * - `Unavailable`: the app database can't be reached.
 */
export class ContentError extends Schema.TaggedError<ContentError>()("ContentError", {
  reason: Schema.Literals(["NotFound", "Invalid", "Conflict", "InUse", "Shipped", "Full", "Unavailable"]),
  message: Schema.String,
  usedBy: Schema.optionalKey(Schema.Array(ItemHead))
}) {}

export const itemNotFound = (kind: ItemKind, id: string): ContentError =>
  new ContentError({
    reason: "NotFound",
    message: `There is no ${KIND_NAMES[kind]} with the id ${JSON.stringify(id.slice(0, 100))}.`
  })

/** Cards, dashboards, segments and cohorts. Permissions are checked by the caller. Deletions are recorded in the audit log. */
export class Content extends Context.Service<
  Content,
  {
    /** An item of this kind, also from the trash. */
    readonly get: <Kind extends ItemKind>(kind: Kind, id: ItemId) => Effect.Effect<Item<Bodies[Kind]>, ContentError>
    /** The cards with these ids that exist. */
    readonly cards: (ids: ReadonlyArray<ItemId>) => Effect.Effect<ReadonlyArray<Item<Bodies["card"]>>, ContentError>
    /** One page of items in the order of their names, and how many there are. */
    readonly find: (
      criteria: ItemCriteria
    ) => Effect.Effect<{ readonly items: ReadonlyArray<ItemHead>; readonly total: number }, ContentError>
    /** Saves all of them, or none. Later ones may refer to earlier ones. */
    readonly create: <Kind extends ItemKind>(
      items: readonly [...ReadonlyArray<NewItem>, NewItem<Kind>],
      author: Author
    ) => Effect.Effect<Item<Bodies[Kind]>, ContentError>
    readonly update: <Kind extends ItemKind>(
      kind: Kind,
      id: ItemId,
      change: ItemChange<Kind>
    ) => Effect.Effect<Item<Bodies[Kind]>, ContentError>
    /** Deletes an item from the trash for good, with its revisions and links. */
    readonly remove: (kind: ItemKind, id: ItemId) => Effect.Effect<void, ContentError>
    /** At most 50, newest first. */
    readonly revisions: (kind: ItemKind, id: ItemId) => Effect.Effect<ReadonlyArray<Revision>, ContentError>
    /** Gives an item the name, description and content of an earlier revision, as a new one. */
    readonly revert: <Kind extends ItemKind>(
      kind: Kind,
      id: ItemId,
      options: { readonly to: number; readonly author: Author }
    ) => Effect.Effect<Item<Bodies[Kind]>, ContentError>
    /**
     * Creates what ships with Footfall, updates what has another checksum, and moves to the trash what no longer ships and nothing uses.
     * Any number of processes may call it at the same time. Returns how many items changed.
     */
    readonly ship: (items: ReadonlyArray<ShippedItem>) => Effect.Effect<number, ContentError>
  }
>()("footfall/ports/Content") {}
