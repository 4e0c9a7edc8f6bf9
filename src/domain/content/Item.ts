import { Schema } from "effect"
import { UUID_PATTERN } from "../ids.ts"
import { CollectionId } from "../people.ts"

/** What people save, apart from notes on the time axis. A card is a saved question. */
export const ITEM_KINDS = ["card", "dashboard", "segment", "cohort"] as const
export const ItemKind = Schema.Literals(ITEM_KINDS)
export type ItemKind = typeof ItemKind.Type

/** The id of a card, dashboard, segment or cohort: a UUID in lower case. */
export const ItemId = Schema.String.check(Schema.isPattern(UUID_PATTERN), Schema.isLowercased()).pipe(
  Schema.brand("ItemId")
)
export type ItemId = typeof ItemId.Type

/** Who saved something, as they were called then. */
export const Author = Schema.Struct({
  /** As of a principal: `user`, `key`, `local`; `footfall` for what ships with Footfall. */
  kind: Schema.String,
  id: Schema.NullOr(Schema.String),
  name: Schema.String
})
export type Author = typeof Author.Type

/** The author of what ships with Footfall. */
export const FOOTFALL: Author = { kind: "footfall", id: null, name: "Footfall" }

/** What every kind of item has. */
export const ItemHead = Schema.Struct({
  id: ItemId,
  kind: ItemKind,
  name: Schema.String,
  description: Schema.NullOr(Schema.String),
  collection: CollectionId,
  /** The collection and those above it, from the outermost to the innermost. */
  path: Schema.Array(CollectionId),
  /** Whether it ships with Footfall, and can't be changed. */
  isShipped: Schema.Boolean,
  isArchived: Schema.Boolean,
  /** From 1, increased by each change. */
  revision: Schema.Int,
  author: Author,
  createdAt: Schema.Date,
  updatedAt: Schema.Date
})
export type ItemHead = typeof ItemHead.Type

/** An item with its content, in the form of its kind. */
export interface Item<Body = unknown> extends ItemHead {
  readonly body: Body
}

/** A state that an item had. */
export interface Revision {
  readonly number: number
  readonly isCurrent: boolean
  /** What changed, as a sentence. */
  readonly change: string
  readonly author: Author
  readonly at: Date
  readonly name: string
  readonly description: string | null
  readonly body: unknown
}

/** In characters. */
export const MAX_ITEM_NAME = 254
export const MAX_DESCRIPTION = 5_000
