import { Schema } from "effect"
import { CollectionId } from "../people.ts"

/** A folder of saved items, below Product Analytics. A grant on a collection holds for everything below it. */
export const Collection = Schema.Struct({
  id: CollectionId,
  entityId: Schema.String,
  name: Schema.String,
  description: Schema.NullOr(Schema.String),
  /** Null: it is Product Analytics itself. */
  parent: Schema.NullOr(CollectionId),
  /** The collection and those above it, from the outermost to the innermost. */
  path: Schema.Array(CollectionId),
  isArchived: Schema.Boolean,
  /** From 1, increased by each change. */
  revision: Schema.Int,
  createdAt: Schema.Date,
  updatedAt: Schema.Date
})
export type Collection = typeof Collection.Type

/** In characters. */
export const MAX_COLLECTION_NAME = 100
