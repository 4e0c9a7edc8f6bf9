import { Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { Collection } from "../../../src/domain/content/Collection.ts"
import { CollectionId, PRODUCT_ANALYTICS } from "../../../src/domain/people.ts"
import { isStorable } from "../../../src/lib/storable.ts"
import {
  type CollectionChange,
  Collections,
  CollectionsError,
  collectionNotFound
} from "../../../src/ports/Collections.ts"
import { AppDatabase } from "../client/Database.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import { runChange } from "../client/runStatement.ts"
import { HEAD_COLUMNS, type HeadRow, toHead } from "./itemRows.ts"
import { contentTransaction } from "./transaction.ts"

/** Collections of an instance, those in the trash included. Clients show them all in one tree. */
const MAX_COLLECTIONS = 1_000
/** Collections in collections, Product Analytics included. */
const MAX_DEPTH = 10
/** Of entity ids, in Metabase's form: 21 characters of an alphabet of 64. */
const ENTITY_ID_BYTES = 16

interface Row {
  readonly id: number
  readonly entity_id: string
  readonly name: string
  readonly description: string | null
  readonly parent_id: number | null
  readonly path: ReadonlyArray<number>
  readonly archived: boolean
  readonly revision: number
  readonly created_ms: number
  readonly updated_ms: number
}

const COLUMNS = `id, entity_id, name, description, parent_id, product_analytics_collection_path(id) AS path, archived, revision,
  floor(extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
  floor(extract(epoch FROM updated_at) * 1000)::float8 AS updated_ms`
const LIST = `SELECT * FROM (SELECT ${COLUMNS} FROM product_analytics_collection) AS collection
  WHERE path[1] = $1::int ORDER BY lower(name), id`
const GET = `SELECT * FROM (SELECT ${COLUMNS} FROM product_analytics_collection WHERE id = $2::int) AS collection
  WHERE path[1] = $1::int`
const COUNT = "SELECT count(*)::int AS count FROM product_analytics_collection"
const INSERT = `INSERT INTO product_analytics_collection (entity_id, name, description, parent_id)
  VALUES ($1, $2, $3, $4::int) RETURNING id`
const UPDATE = `UPDATE product_analytics_collection SET
    name = $2, description = $3, parent_id = $4::int, revision = revision + 1, updated_at = now()
  WHERE id = $1::int`
const BELOW = `WITH RECURSIVE below (id, depth) AS (
    SELECT $1::int, 1
    UNION ALL
    SELECT collection.id, depth + 1 FROM below
      JOIN product_analytics_collection AS collection ON collection.parent_id = below.id
      WHERE depth < 20
  )`
const HEIGHT = `${BELOW} SELECT max(depth) AS height FROM below`
const USED_OUTSIDE = `${BELOW} SELECT DISTINCT ON (lower(item.name), item.id) ${HEAD_COLUMNS} FROM product_analytics_content AS inside
    JOIN product_analytics_content_reference ON to_id = inside.id
    JOIN product_analytics_content AS item ON item.id = from_id
  WHERE inside.collection_id IN (SELECT id FROM below) AND inside.archived_at IS NULL
    AND item.archived_at IS NULL AND item.collection_id NOT IN (SELECT id FROM below)
  ORDER BY lower(item.name), item.id LIMIT 100`
const ARCHIVE = [
  `${BELOW} UPDATE product_analytics_content SET archived_at = now(), archived_with = $1::int
    WHERE collection_id IN (SELECT id FROM below) AND archived_at IS NULL`,
  `${BELOW} UPDATE product_analytics_collection SET archived = true, archived_with = $1::int
    WHERE id IN (SELECT id FROM below) AND NOT archived`
]
const RESTORE = [
  `UPDATE product_analytics_collection SET archived = false, archived_with = NULL WHERE archived_with = $1::int`,
  `UPDATE product_analytics_content SET archived_at = NULL, archived_with = NULL WHERE archived_with = $1::int`
]
// What restored items refer to may have gone to the trash on its own meanwhile.
const MISSING = `SELECT used.name FROM product_analytics_content AS item
    JOIN product_analytics_content_reference ON from_id = item.id
    JOIN product_analytics_content AS used ON used.id = to_id
  WHERE item.archived_with = $1::int AND used.archived_at IS NOT NULL AND used.archived_with IS DISTINCT FROM $1::int
  LIMIT 1`

type Writing<A> = Effect.Effect<A, CollectionsError | SqlError.SqlError>

const failed = (reason: CollectionsError["reason"], message: string) => new CollectionsError({ reason, message })
const unavailable = (message: string) => failed("Unavailable", message)

const toCollection = (row: Row): Collection => ({
  id: CollectionId.make(row.id),
  entityId: row.entity_id,
  name: row.name,
  description: row.description,
  parent: row.parent_id === null ? null : CollectionId.make(row.parent_id),
  path: row.path.map((id) => CollectionId.make(id)),
  isArchived: row.archived,
  revision: row.revision,
  createdAt: new Date(row.created_ms),
  updatedAt: new Date(row.updated_ms)
})

const newEntityId = (): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(ENTITY_ID_BYTES)))
    .toString("base64url")
    .slice(0, 21)

const read = (sql: DatabaseClient, id: number): Writing<Collection> =>
  Effect.flatMap(sql.unsafe<Row>(GET, [PRODUCT_ANALYTICS.id, id]), ([row]) =>
    row === undefined ? Effect.fail(collectionNotFound(id)) : Effect.succeed(toCollection(row))
  )

/** The collection, if others may be in it at this depth. */
const checkParent = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  id: number,
  height: number
): Effect.fn.Return<Collection, CollectionsError | SqlError.SqlError> {
  const parent = yield* Effect.catchTag(read(sql, id), "CollectionsError", ({ message }) =>
    Effect.fail(failed("Invalid", message))
  )
  if (parent.isArchived) return yield* failed("Invalid", `The collection "${parent.name}" is in the trash.`)
  if (parent.path.length + height > MAX_DEPTH) {
    return yield* failed("Invalid", `Collections may be nested ${MAX_DEPTH} levels deep.`)
  }
  return parent
})

const create = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  { description, name, parent }: { readonly name: string; readonly description: string | null; readonly parent: number }
): Effect.fn.Return<Collection, CollectionsError | SqlError.SqlError> {
  yield* checkParent(sql, parent, 1)
  const [count] = yield* sql.unsafe<{ count: number }>(COUNT)
  if (count!.count >= MAX_COLLECTIONS) {
    return yield* failed("Full", `There may be ${MAX_COLLECTIONS} collections, those in the trash included.`)
  }
  const [row] = yield* sql.unsafe<{ id: number }>(INSERT, [newEntityId(), name, description, parent])
  return yield* read(sql, row!.id)
})

const moveTo = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  collection: Collection,
  to: number
): Effect.fn.Return<void, CollectionsError | SqlError.SqlError> {
  const [row] = yield* sql.unsafe<{ height: number }>(HEIGHT, [collection.id])
  const parent = yield* checkParent(sql, to, row!.height)
  if (parent.path.includes(collection.id)) {
    return yield* failed("Invalid", "A collection can't be moved into itself or a collection below it.")
  }
})

const archive = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  { id, name }: Collection
): Effect.fn.Return<void, CollectionsError | SqlError.SqlError> {
  const usedBy = (yield* sql.unsafe<HeadRow>(USED_OUTSIDE, [id])).map(toHead)
  if (usedBy.length > 0) {
    return yield* new CollectionsError({ reason: "InUse", message: `Others use what is in "${name}".`, usedBy })
  }
  yield* Effect.forEach(ARCHIVE, (statement) => sql.unsafe(statement, [id]))
})

const restore = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  { id }: Collection,
  parent: number
): Effect.fn.Return<void, CollectionsError | SqlError.SqlError> {
  yield* checkParent(sql, parent, 1)
  const [missing] = yield* sql.unsafe<{ name: string }>(MISSING, [id])
  if (missing !== undefined) {
    return yield* failed(
      "Invalid",
      `Something in it uses "${missing.name}", which is in the trash. Restore that first.`
    )
  }
  yield* Effect.forEach(RESTORE, (statement) => sql.unsafe(statement, [id]))
})

const update = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  id: number,
  { archived, revision, ...change }: CollectionChange
): Effect.fn.Return<Collection, CollectionsError | SqlError.SqlError> {
  const collection = yield* read(sql, id)
  if (id === PRODUCT_ANALYTICS.id) return yield* failed("Fixed", "Product Analytics can't be changed.")
  if (revision !== undefined && revision !== collection.revision) {
    return yield* failed(
      "Conflict",
      `The collection was changed in the meantime: its revision is ${collection.revision}, not ${revision}. Read it again.`
    )
  }
  const parent = change.parent ?? collection.parent!
  if (parent !== collection.parent) yield* moveTo(sql, collection, parent)
  if (archived === true && !collection.isArchived) yield* archive(sql, collection)
  if (archived === false && collection.isArchived) yield* restore(sql, collection, parent)
  yield* sql.unsafe(UPDATE, [
    id,
    change.name ?? collection.name,
    change.description === undefined ? collection.description : change.description,
    parent
  ])
  return yield* read(sql, id)
})

const checked = <Values extends object>(values: Values): Effect.Effect<Values, CollectionsError> =>
  isStorable(values)
    ? Effect.succeed(values)
    : Effect.fail(failed("Invalid", "Strings must not contain NUL or half of a surrogate pair."))

/** Collections in the app database. */
export const layer: Layer.Layer<Collections, never, AppDatabase> = Layer.effect(
  Collections,
  Effect.map(AppDatabase, (sql) => {
    const write = (statements: Writing<Collection>) => contentTransaction(sql, statements, unavailable)
    return Collections.of({
      list: Effect.map(runChange(sql.unsafe<Row>(LIST, [PRODUCT_ANALYTICS.id]), unavailable), (rows) =>
        rows.map(toCollection)
      ),
      get: (id) => runChange(read(sql, id), unavailable),
      create: Effect.fn("Collections.create")(function* (values) {
        return yield* write(create(sql, yield* checked(values)))
      }),
      update: Effect.fn("Collections.update")(function* (id, change) {
        return yield* write(update(sql, id, yield* checked(change)))
      })
    })
  })
)
