import { Effect, Layer } from "effect"
import { type Bodies, DECODE_BODY } from "../../../src/domain/content/bodies.ts"
import { type Item, ItemId, type ItemKind, type Revision } from "../../../src/domain/content/Item.ts"
import { LruCache } from "../../../src/lib/LruCache.ts"
import { isStorable } from "../../../src/lib/storable.ts"
import { Content, ContentError, type ItemCriteria } from "../../../src/ports/Content.ts"
import { intArray, textArray, uuidArray } from "../client/arrays.ts"
import { containing } from "../client/containing.ts"
import { AppDatabase } from "../client/Database.ts"
import { runChange, runStatement } from "../client/runStatement.ts"
import { writeAudit } from "../control/audit.ts"
import { type AuthorColumns, authorOf, HEAD_COLUMNS, type HeadRow, type ItemRow, toHead } from "./itemRows.ts"
import { outdatedItems, retireItems, shipItem } from "./shipItems.ts"
import { contentTransaction } from "./transaction.ts"
import { refuseUnlessCurrent, revertItem, updateItem } from "./updateItem.ts"
import { checkRoom, insertItem, invalid, readItem, refuseIfUsed, type Writing } from "./writeItem.ts"

const CARDS = `SELECT ${HEAD_COLUMNS}, item.body FROM product_analytics_content AS item
  WHERE item.id = ANY($1::uuid[]) AND item.kind = 'card'`
// Exact names first. Without $2, any name; without $3, any collection.
const FIND = `SELECT ${HEAD_COLUMNS}, count(*) OVER ()::int AS total FROM product_analytics_content AS item
  WHERE item.kind = ANY($1::text[])
    AND ($2::text IS NULL OR item.name ILIKE $2::text OR item.description ILIKE $2::text)
    AND ($3::int[] IS NULL OR item.collection_id = ANY($3::int[]))
    AND (item.archived_at IS NOT NULL) = $4::bool
  ORDER BY (lower(item.name) = lower($7::text)) DESC NULLS LAST, lower(item.name), item.id
  LIMIT $5::int OFFSET $6::int`
const DELETE = "DELETE FROM product_analytics_content WHERE id = $1::uuid"
const REVISIONS = `SELECT number, change, author_kind, author_id, author_name, name, description, body,
    floor(extract(epoch FROM at) * 1000)::float8 AS at_ms
  FROM product_analytics_content_revision WHERE content_id = $1::uuid ORDER BY number DESC`

interface FoundRow extends HeadRow {
  readonly total: number
}

interface RevisionRow extends AuthorColumns {
  readonly number: number
  readonly change: string
  readonly name: string
  readonly description: string | null
  readonly body: unknown
  readonly at_ms: number
}

const unavailable = (message: string) => new ContentError({ reason: "Unavailable", message })

/** Items whose bodies are kept, each of at most 256 KB of JSON: each card of a page asks for its dashboard. */
const KEPT_BODIES = 64

/**
 * Makes items of rows. Migrations keep stored content in the form of its kind; decoding it takes longer than reading it, so it is done once
 * for each revision.
 */
const makeItems = () => {
  const bodies = new LruCache<Bodies[ItemKind]>(KEPT_BODIES)
  const bodyOf = <Kind extends ItemKind>(
    kind: Kind,
    { body, id, revision, updated_ms: updated }: ItemRow
  ): Bodies[Kind] => {
    // The time, because an app database that was restored from a backup counts revisions again.
    const key = `${id} ${revision} ${updated}`
    const kept = bodies.get(key)
    if (kept !== undefined) return kept as Bodies[Kind]
    const decoded = DECODE_BODY[kind](body)
    bodies.set(key, decoded)
    return decoded
  }
  return <Kind extends ItemKind>(kind: Kind, row: ItemRow): Item<Bodies[Kind]> => ({
    ...toHead(row),
    body: bodyOf(kind, row)
  })
}

const criteriaValues = ({ archived, collections, kinds, limit, offset, text }: ItemCriteria) => [
  textArray(kinds),
  text === null ? null : containing(text),
  collections === null ? null : intArray(collections),
  archived,
  limit,
  offset,
  text
]

/** Saved items in the app database. One transaction at a time changes them, so that what they refer to exists and nothing is circular. */
export const layer: Layer.Layer<Content, never, AppDatabase> = Layer.effect(
  Content,
  Effect.map(AppDatabase, (sql) => {
    const toItem = makeItems()
    const select = <Row extends object>(statement: string, values: ReadonlyArray<unknown>) =>
      runStatement(sql.unsafe<Row>(statement, values), unavailable)
    const write = <A>(statements: Writing<A>) => contentTransaction(sql, statements, unavailable)
    const read = <A>(statements: Writing<A>) => runChange(statements, unavailable)

    return Content.of({
      get: (kind, id) => Effect.map(read(readItem(sql, kind, id)), (row) => toItem(kind, row)),
      cards: (ids) =>
        Effect.map(select<ItemRow>(CARDS, [uuidArray(ids)]), (rows) => rows.map((row) => toItem("card", row))),
      find: Effect.fn("Content.find")(function* (criteria) {
        // No stored string contains what can't be stored.
        if (!isStorable(criteria.text)) return { items: [], total: 0 }
        const rows = yield* select<FoundRow>(FIND, criteriaValues(criteria))
        // A page behind the last one has no row that has the total.
        const counted =
          rows.length > 0 || criteria.offset === 0
            ? rows
            : yield* select<FoundRow>(FIND, criteriaValues({ ...criteria, offset: 0, limit: 1 }))
        return { items: rows.map(toHead), total: counted[0]?.total ?? 0 }
      }),
      create: Effect.fn("Content.create")(function* (items, author) {
        const withIds = items.map((item) => ({
          ...item,
          id: item.id ?? ItemId.make(crypto.randomUUID()),
          checksum: null
        }))
        const last = withIds.at(-1)!
        const row = yield* write(
          Effect.gen(function* () {
            yield* checkRoom(sql, withIds.length)
            for (const item of withIds) yield* insertItem(sql, item, author)
            return yield* readItem(sql, last.kind, last.id)
          })
        )
        return toItem(items[items.length - 1]!.kind, row) as never
      }),
      update: (kind, id, change) =>
        Effect.map(write(updateItem(sql, { id, kind }, change)), (row) => toItem(kind, row)).pipe(
          Effect.withSpan("Content.update")
        ),
      remove: (kind, id) =>
        write(
          Effect.gen(function* () {
            const row = yield* readItem(sql, kind, id)
            yield* refuseUnlessCurrent(row, undefined)
            if (!row.is_archived) return yield* invalid("Only what is in the trash can be deleted for good.")
            yield* refuseIfUsed(sql, row, { trashIncluded: true })
            yield* sql.unsafe(DELETE, [id])
            yield* writeAudit(sql, { action: `${kind}.delete`, targetKind: kind, targetId: id, targetName: row.name })
          })
        ),
      revisions: (kind, id) =>
        Effect.flatMap(read(readItem(sql, kind, id)), ({ revision }) =>
          Effect.map(select<RevisionRow>(REVISIONS, [id]), (rows) =>
            rows.map(
              (row): Revision => ({
                number: row.number,
                isCurrent: row.number === revision,
                change: row.change,
                author: authorOf(row),
                at: new Date(row.at_ms),
                name: row.name,
                description: row.description,
                body: row.body
              })
            )
          )
        ),
      revert: (kind, id, options) =>
        Effect.map(write(revertItem(sql, { id, kind }, options)), (row) => toItem(kind, row)),
      ship: Effect.fn("Content.ship")(function* (items) {
        // Each in a transaction of its own, so that none takes long. A process that stops in between continues at its next start.
        const outdated = yield* read(outdatedItems(sql, items))
        const written = yield* Effect.forEach(outdated, (item) => write(shipItem(sql, item)))
        return written.filter((isNew) => isNew).length + (yield* write(retireItems(sql, items)))
      })
    })
  })
)
