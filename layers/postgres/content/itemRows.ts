import type { ItemHead, ItemKind } from "../../../src/domain/content/Item.ts"
import { ItemId } from "../../../src/domain/content/Item.ts"
import { CollectionId } from "../../../src/domain/people.ts"

/** Who saved a row. */
export interface AuthorColumns {
  readonly author_kind: string
  readonly author_id: string | null
  readonly author_name: string
}

export interface HeadRow extends AuthorColumns {
  readonly id: string
  readonly kind: ItemKind
  readonly name: string
  readonly description: string | null
  readonly collection_id: number
  readonly path: ReadonlyArray<number>
  readonly is_shipped: boolean
  readonly is_archived: boolean
  readonly revision: number
  readonly created_ms: number
  readonly updated_ms: number
}

export interface ItemRow extends HeadRow {
  readonly body: unknown
}

export const HEAD_COLUMNS = `item.id::text AS id, item.kind, item.name, item.description, item.collection_id,
  product_analytics_collection_path(item.collection_id) AS path,
  item.shipped_checksum IS NOT NULL AS is_shipped, item.archived_at IS NOT NULL AS is_archived, item.revision,
  item.author_kind, item.author_id, item.author_name,
  floor(extract(epoch FROM item.created_at) * 1000)::float8 AS created_ms,
  floor(extract(epoch FROM item.updated_at) * 1000)::float8 AS updated_ms`

export const authorOf = ({ author_id: id, author_kind: kind, author_name: name }: AuthorColumns) => ({ kind, id, name })

export const toHead = (row: HeadRow): ItemHead => ({
  id: ItemId.make(row.id),
  kind: row.kind,
  name: row.name,
  description: row.description,
  collection: CollectionId.make(row.collection_id),
  path: row.path.map((id) => CollectionId.make(id)),
  isShipped: row.is_shipped,
  isArchived: row.is_archived,
  revision: row.revision,
  author: authorOf(row),
  createdAt: new Date(row.created_ms),
  updatedAt: new Date(row.updated_ms)
})
