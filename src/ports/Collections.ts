import { Context, type Effect, Schema } from "effect"
import type { Collection } from "../domain/content/Collection.ts"
import { ItemHead } from "../domain/content/Item.ts"
import type { CollectionId } from "../domain/people.ts"

export interface NewCollection {
  readonly name: string
  readonly description: string | null
  readonly parent: CollectionId
}

/** A change of a collection: absent keys keep their values. */
export interface CollectionChange {
  readonly name?: string
  readonly description?: string | null
  readonly parent?: CollectionId
  /** True moves it to the trash with everything below it; false restores what went there with it. */
  readonly archived?: boolean
  /** The revision that the change is based on. If there is a newer one, the change is a `Conflict`. */
  readonly revision?: number
}

/**
 * - `NotFound`: there is no such collection below Product Analytics.
 * - `Invalid`: the parent is not possible.
 * - `Conflict`: there is a newer revision.
 * - `InUse`: items outside need items in it; `usedBy` has those outside.
 * - `Fixed`: it is Product Analytics itself, which cannot be changed.
 * - `Full`: there are as many as there may be.
 * - `Unavailable`: the app database can't be reached.
 */
export class CollectionsError extends Schema.TaggedError<CollectionsError>()("CollectionsError", {
  reason: Schema.Literals(["NotFound", "Invalid", "Conflict", "InUse", "Fixed", "Full", "Unavailable"]),
  message: Schema.String,
  usedBy: Schema.optionalKey(Schema.Array(ItemHead))
}) {}

export const collectionNotFound = (id: number): CollectionsError =>
  new CollectionsError({ reason: "NotFound", message: `There is no collection with the id ${id}.` })

/** Product Analytics and the collections below it. Permissions are checked by the caller. */
export class Collections extends Context.Service<
  Collections,
  {
    /** All of them, those in the trash included, in the order of their names. There are at most 1,000. */
    readonly list: Effect.Effect<ReadonlyArray<Collection>, CollectionsError>
    readonly get: (id: CollectionId) => Effect.Effect<Collection, CollectionsError>
    readonly create: (collection: NewCollection) => Effect.Effect<Collection, CollectionsError>
    readonly update: (id: CollectionId, change: CollectionChange) => Effect.Effect<Collection, CollectionsError>
  }
>()("footfall/ports/Collections") {}
