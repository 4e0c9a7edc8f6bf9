import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { itemReferences, KIND_NAMES } from "../../../src/domain/content/bodies.ts"
import type { Author, ItemHead, ItemKind } from "../../../src/domain/content/Item.ts"
import { isStorable } from "../../../src/lib/storable.ts"
import { ContentError, itemNotFound, type NewItem } from "../../../src/ports/Content.ts"
import { uuidArray } from "../client/arrays.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { HEAD_COLUMNS, type HeadRow, type ItemRow, toHead } from "./itemRows.ts"

/** Revisions of one item that are kept, the current one included. */
export const MAX_REVISIONS = 50
/** Items of an instance, those in the trash included. Lists and searches stay quick without indexes of their own. */
export const MAX_ITEMS = 20_000

const GET = `SELECT ${HEAD_COLUMNS}, item.body FROM product_analytics_content AS item WHERE item.id = $1::uuid AND item.kind = $2`
const COUNT = "SELECT count(*)::int AS count FROM product_analytics_content"
const USERS = `SELECT ${HEAD_COLUMNS} FROM product_analytics_content_reference
  JOIN product_analytics_content AS item ON item.id = from_id
  WHERE to_id = $1::uuid AND ($2 OR item.archived_at IS NULL)
  ORDER BY lower(item.name), item.id LIMIT 100`
const REFERRED = `SELECT id::text AS id, kind, name, archived_at IS NOT NULL AS is_archived
  FROM product_analytics_content WHERE id = ANY($1::uuid[])`
const REACHES = `WITH RECURSIVE reached (id) AS (
    SELECT unnest($1::uuid[])
    UNION
    SELECT to_id FROM reached JOIN product_analytics_content_reference ON from_id = reached.id
  )
  SELECT 1 FROM reached WHERE id = $2::uuid`
const FORGET_REFERENCES = "DELETE FROM product_analytics_content_reference WHERE from_id = $1::uuid"
const REFER = `INSERT INTO product_analytics_content_reference (from_id, to_id)
  SELECT $1::uuid, unnest($2::uuid[])`
const COLLECTION = `SELECT archived, product_analytics_collection_path(id) AS path
  FROM product_analytics_collection WHERE id = $1::int`
const INSERT = `INSERT INTO product_analytics_content
    (id, kind, name, description, collection_id, body, shipped_checksum, author_kind, author_id, author_name)
  VALUES ($1::uuid, $2, $3, $4, $5::int, $6::json, $7, $8, $9, $10)`
const ADD_REVISION = `INSERT INTO product_analytics_content_revision
    (content_id, number, change, author_kind, author_id, author_name, name, description, body)
  SELECT id, revision, $2, $3, $4, $5, name, description, body FROM product_analytics_content WHERE id = $1::uuid`
const TRIM_REVISIONS = `DELETE FROM product_analytics_content_revision
  WHERE content_id = $1::uuid AND number <= (SELECT revision FROM product_analytics_content WHERE id = $1::uuid) - $2::int`

export type Writing<A> = Effect.Effect<A, ContentError | SqlError.SqlError>

export const invalid = (message: string) => new ContentError({ reason: "Invalid", message })

export const readItem = (sql: DatabaseClient, kind: ItemKind, id: string): Writing<ItemRow> =>
  Effect.flatMap(sql.unsafe<ItemRow>(GET, [id, kind]), ([row]) =>
    row === undefined ? Effect.fail(itemNotFound(kind, id)) : Effect.succeed(row)
  )

/** The items that refer to this one; those in the trash only if `all`. */
const usersOf = (sql: DatabaseClient, id: string, all: boolean): Writing<ReadonlyArray<ItemHead>> =>
  Effect.map(sql.unsafe<HeadRow>(USERS, [id, all]), (rows) => rows.map(toHead))

/** Fails if others need the item. */
export const refuseIfUsed = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  { id, kind }: { readonly id: string; readonly kind: ItemKind },
  options: { readonly trashIncluded: boolean }
): Effect.fn.Return<void, ContentError | SqlError.SqlError> {
  const usedBy = yield* usersOf(sql, id, options.trashIncluded)
  if (usedBy.length === 0) return
  return yield* new ContentError({ reason: "InUse", message: `Others use this ${KIND_NAMES[kind]}.`, usedBy })
})

/** Fails unless items may be saved in the collection. */
export const checkCollection = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  collection: number
): Effect.fn.Return<void, ContentError | SqlError.SqlError> {
  const [row] = yield* sql.unsafe<{ archived: boolean; path: ReadonlyArray<number> }>(COLLECTION, [collection])
  if (row === undefined) return yield* invalid(`There is no collection with the id ${collection}.`)
  if (row.archived) return yield* invalid("The collection is in the trash. Restore it first, or choose another one.")
})

interface ReferredRow {
  readonly id: string
  readonly kind: ItemKind
  readonly name: string
  readonly is_archived: boolean
}

/** Replaces what an item refers to. Fails if something does not exist, is in the trash, or refers back to the item. */
export const writeReferences = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  id: string,
  references: ReadonlyMap<string, ItemKind>
): Effect.fn.Return<void, ContentError | SqlError.SqlError> {
  yield* sql.unsafe(FORGET_REFERENCES, [id])
  if (references.size === 0) return
  const ids = uuidArray(references.keys())
  const found = new Map((yield* sql.unsafe<ReferredRow>(REFERRED, [ids])).map((row) => [row.id, row]))
  for (const [to, kind] of references) {
    const row = found.get(to)
    if (row?.kind !== kind) return yield* invalid(`There is no ${KIND_NAMES[kind]} with the id "${to}".`)
    if (row.is_archived) {
      return yield* invalid(`The ${KIND_NAMES[kind]} "${row.name}" is in the trash. Restore it first.`)
    }
  }
  if ((yield* sql.unsafe(REACHES, [ids, id])).length > 0) {
    return yield* invalid("It would be built on itself, directly or through what it refers to.")
  }
  yield* sql.unsafe(REFER, [id, ids])
})

/** Records the item's current state. */
export const addRevision = (
  sql: DatabaseClient,
  id: string,
  { author, change }: { readonly author: Author; readonly change: string }
): Writing<void> =>
  Effect.asVoid(
    Effect.andThen(
      sql.unsafe(ADD_REVISION, [id, change, author.kind, author.id, author.name]),
      sql.unsafe(TRIM_REVISIONS, [id, MAX_REVISIONS])
    )
  )

export const checkStorable = (values: unknown): Effect.Effect<void, ContentError> =>
  isStorable(values) ? Effect.void : Effect.fail(invalid("Strings must not contain NUL or half of a surrogate pair."))

/** Fails if there is no room for more items. */
export const checkRoom = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  more: number
): Effect.fn.Return<void, ContentError | SqlError.SqlError> {
  const [row] = yield* sql.unsafe<{ count: number }>(COUNT)
  if (row!.count + more <= MAX_ITEMS) return
  return yield* new ContentError({
    reason: "Full",
    message: `There may be ${MAX_ITEMS} saved items, those in the trash included. Delete some for good.`
  })
})

/** Inserts an item with its references and its first revision. */
export const insertItem = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  item: NewItem & { readonly id: string; readonly checksum: string | null },
  author: Author
): Effect.fn.Return<void, ContentError | SqlError.SqlError> {
  const { body, collection, description, id, kind, name } = item
  yield* checkStorable({ name, description, body })
  yield* checkCollection(sql, collection)
  yield* sql.unsafe(INSERT, [
    id,
    kind,
    name,
    description,
    collection,
    JSON.stringify(body),
    item.checksum,
    author.kind,
    author.id,
    author.name
  ])
  yield* writeReferences(sql, id, itemReferences(kind, body))
  yield* addRevision(sql, id, { author, change: "Created it." })
})
