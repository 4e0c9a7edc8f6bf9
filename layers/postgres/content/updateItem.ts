import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { type Bodies, itemReferences, KIND_NAMES } from "../../../src/domain/content/bodies.ts"
import type { ItemKind } from "../../../src/domain/content/Item.ts"
import { isId } from "../../../src/domain/people.ts"
import { ContentError, type ItemChange } from "../../../src/ports/Content.ts"
import type { DatabaseClient } from "../client/makeClient.ts"
import type { ItemRow } from "./itemRows.ts"
import { addRevision, checkCollection, checkStorable, readItem, refuseIfUsed, writeReferences } from "./writeItem.ts"

const UPDATE = `UPDATE product_analytics_content SET
    name = $2, description = $3, collection_id = $4::int, body = $5::json,
    archived_at = CASE WHEN $6::bool THEN coalesce(archived_at, now()) END,
    archived_with = CASE WHEN $6::bool THEN archived_with END,
    revision = revision + 1, updated_at = now()
  WHERE id = $1::uuid`

interface State {
  readonly name: string
  readonly description: string | null
  readonly collection: number
  readonly archived: boolean
  readonly body: unknown
}

const stateOf = (row: ItemRow): State => ({
  name: row.name,
  description: row.description,
  collection: row.collection_id,
  archived: row.is_archived,
  body: row.body
})

const BODY_CHANGES: Readonly<Record<ItemKind, string>> = {
  card: "Changed the question.",
  dashboard: "Changed the cards or parameters.",
  segment: "Changed the condition.",
  cohort: "Changed the condition."
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** What differs between two states, as sentences; empty if nothing does. */
const describeChange = (kind: ItemKind, before: State, after: State): string =>
  [
    before.name === after.name ? [] : `Renamed it from ${JSON.stringify(before.name)}.`,
    before.description === after.description ? [] : "Changed the description.",
    before.collection === after.collection ? [] : "Moved it to another collection.",
    before.archived === after.archived ? [] : after.archived ? "Moved it to the trash." : "Restored it from the trash.",
    isSame(before.body, after.body) ? [] : BODY_CHANGES[kind]
  ]
    .flat()
    .join(" ")

const shipped = (kind: ItemKind) =>
  new ContentError({
    reason: "Shipped",
    message: `This ${KIND_NAMES[kind]} ships with Footfall. Duplicate it to change it.`
  })

/** Fails unless the item may change, based on what the caller has seen. */
export const refuseUnlessCurrent = (row: ItemRow, revision: number | undefined): Effect.Effect<void, ContentError> => {
  if (row.is_shipped) return Effect.fail(shipped(row.kind))
  if (revision === undefined || revision === row.revision) return Effect.void
  return Effect.fail(
    new ContentError({
      reason: "Conflict",
      message: `${JSON.stringify(row.name)} was changed in the meantime: its revision is ${row.revision}, not ${revision}. Read it again.`
    })
  )
}

interface Written extends State {
  /** What revisions say about the change; null: what differs. */
  readonly change?: string
}

/** Writes a new state, if it differs from the current one. */
export const writeState = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  row: ItemRow,
  { author, state }: { readonly author: ItemChange["author"]; readonly state: Written }
): Effect.fn.Return<void, ContentError | SqlError.SqlError> {
  const { id, kind } = row
  const before = stateOf(row)
  const change = describeChange(kind, before, state)
  if (change === "") return
  yield* checkStorable(state)
  if (state.archived && !before.archived) yield* refuseIfUsed(sql, row, { trashIncluded: false })
  if (!state.archived) {
    if (before.archived || before.collection !== state.collection) yield* checkCollection(sql, state.collection)
    // References of an item in the trash may be in the trash, too.
    if (before.archived || !isSame(before.body, state.body)) {
      yield* writeReferences(sql, id, itemReferences(kind, state.body as Bodies[typeof kind]))
    }
  }
  yield* sql.unsafe(UPDATE, [
    id,
    state.name,
    state.description,
    state.collection,
    JSON.stringify(state.body),
    state.archived
  ])
  yield* addRevision(sql, id, { author, change: state.change ?? change })
})

/** Applies a change to an item. */
export const updateItem = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  { id, kind }: { readonly id: string; readonly kind: ItemKind },
  { author, revision, ...change }: ItemChange
): Effect.fn.Return<ItemRow, ContentError | SqlError.SqlError> {
  const row = yield* readItem(sql, kind, id)
  yield* refuseUnlessCurrent(row, revision)
  yield* writeState(sql, row, { author, state: { ...stateOf(row), ...change } })
  return yield* readItem(sql, kind, id)
})

interface RevisionState {
  readonly name: string
  readonly description: string | null
  readonly body: unknown
}

const REVISION = `SELECT name, description, body FROM product_analytics_content_revision
  WHERE content_id = $1::uuid AND number = $2::int`

/** Writes the state of an earlier revision as a new one. The item stays where it is, also in the trash. */
export const revertItem = Effect.fnUntraced(function* (
  sql: DatabaseClient,
  { id, kind }: { readonly id: string; readonly kind: ItemKind },
  { author, to }: { readonly author: ItemChange["author"]; readonly to: number }
): Effect.fn.Return<ItemRow, ContentError | SqlError.SqlError> {
  const row = yield* readItem(sql, kind, id)
  yield* refuseUnlessCurrent(row, undefined)
  // A number that the column cannot hold would be an error of the database.
  const [earlier] = isId(to) ? yield* sql.unsafe<RevisionState>(REVISION, [id, to]) : []
  if (earlier === undefined) {
    return yield* new ContentError({
      reason: "NotFound",
      message: `The ${KIND_NAMES[kind]} has no revision ${to}; the newest 50 are kept.`
    })
  }
  yield* writeState(sql, row, {
    author,
    state: { ...stateOf(row), ...earlier, change: `Went back to revision ${to}.` }
  })
  return yield* readItem(sql, kind, id)
})
