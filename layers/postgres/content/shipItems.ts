import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { itemReferences } from "../../../src/domain/content/bodies.ts"
import { FOOTFALL } from "../../../src/domain/content/Item.ts"
import type { ContentError, ShippedItem } from "../../../src/ports/Content.ts"
import { uuidArray } from "../client/arrays.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { addRevision, insertItem, writeReferences } from "./writeItem.ts"

interface ShippedRow {
  readonly id: string
  readonly checksum: string | null
  readonly is_archived: boolean
}

const SHIPPED = `SELECT id::text AS id, shipped_checksum AS checksum, archived_at IS NOT NULL AS is_archived
  FROM product_analytics_content WHERE id = ANY($1::uuid[])`
const UPDATE = `UPDATE product_analytics_content SET
    name = $2, description = $3, collection_id = $4::int, body = $5::json, shipped_checksum = $6,
    archived_at = NULL, archived_with = NULL, revision = revision + 1, updated_at = now()
  WHERE id = $1::uuid`
// What only other retired items use goes with them: those are retired first, one layer at each start.
const RETIRE = `UPDATE product_analytics_content SET archived_at = now(), updated_at = now()
  WHERE shipped_checksum IS NOT NULL AND archived_at IS NULL AND NOT id = ANY($1::uuid[])
    AND NOT EXISTS (
      SELECT FROM product_analytics_content_reference
        JOIN product_analytics_content AS other ON other.id = from_id
      WHERE to_id = product_analytics_content.id AND other.archived_at IS NULL
    )
  RETURNING id`

/** Items that a new or changed file may write: the stored state is read again, since another process may have written it meanwhile. */
export const shipItem = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  item: ShippedItem
): Effect.fn.Return<boolean, ContentError | SqlError.SqlError> {
  const { body, checksum, collection, description, id, kind, name } = item
  const [stored] = yield* sql.unsafe<ShippedRow>(SHIPPED, [uuidArray([id])])
  if (stored === undefined) {
    yield* insertItem(sql, item, FOOTFALL)
    return true
  }
  if (isCurrent(item, stored)) return false
  yield* sql.unsafe(UPDATE, [id, name, description, collection, JSON.stringify(body), checksum])
  yield* writeReferences(sql, id, itemReferences(kind, body))
  yield* addRevision(sql, id, { author: FOOTFALL, change: "Updated it with Footfall." })
  return true
})

const isCurrent = ({ checksum }: ShippedItem, stored: ShippedRow | undefined): boolean =>
  stored !== undefined && stored.checksum === checksum && !stored.is_archived

/** The items that are not stored as they are, in their order. */
export const outdatedItems = (
  sql: DatabaseClient,
  items: ReadonlyArray<ShippedItem>
): Effect.Effect<ReadonlyArray<ShippedItem>, SqlError.SqlError> =>
  Effect.map(sql.unsafe<ShippedRow>(SHIPPED, [uuidArray(items.map(({ id }) => id))]), (rows) => {
    const stored = new Map(rows.map((row) => [row.id, row]))
    return items.filter((item) => !isCurrent(item, stored.get(item.id)))
  })

/** Moves to the trash what no longer ships and nothing uses; how many items. */
export const retireItems = (
  sql: DatabaseClient,
  items: ReadonlyArray<ShippedItem>
): Effect.Effect<number, SqlError.SqlError> =>
  Effect.map(sql.unsafe(RETIRE, [uuidArray(items.map(({ id }) => id))]), (rows) => rows.length)
