import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { ADMINISTRATORS, type CollectionId, type CollectionLevel, type GroupId } from "../../../../src/domain/people.ts"
import type { PermissionGraph, PermissionLevels } from "../../../../src/ports/Groups.ts"
import { invalidValues, PeopleError } from "../../../../src/ports/PeopleError.ts"
import { intArray } from "../../client/arrays.ts"

interface LevelRow {
  readonly revision: number
  readonly group_id: GroupId
  readonly collection_id: CollectionId
  readonly level: CollectionLevel
}

/** Every group with every collection. Administrators may do everything, which is not stored. */
const READ = `SELECT r.revision, g.id AS group_id, c.id AS collection_id,
    CASE WHEN g.id = 2 THEN 'write' ELSE coalesce(p.level, 'none') END AS level
  FROM product_analytics_permission_revision r
  CROSS JOIN product_analytics_group g
  JOIN product_analytics_collection c ON NOT c.archived
  LEFT JOIN product_analytics_collection_permission p ON p.group_id = g.id AND p.collection_id = c.id
  ORDER BY g.id, c.id`
const NEXT_REVISION =
  "UPDATE product_analytics_permission_revision SET revision = revision + 1 WHERE revision = $1::int RETURNING revision"
const MISSING = (table: string) => `SELECT given.id FROM unnest($1::int[]) AS given (id)
  WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t.id = given.id) LIMIT 1`
const SET = `INSERT INTO product_analytics_collection_permission (group_id, collection_id, level) VALUES ($1::int, $2::int, $3)
  ON CONFLICT (group_id, collection_id) DO UPDATE SET level = excluded.level
  WHERE product_analytics_collection_permission.level <> excluded.level`
const UNSET = "DELETE FROM product_analytics_collection_permission WHERE group_id = $1::int AND collection_id = $2::int"

export const readGraph = (sql: SqlClient.SqlClient): Effect.Effect<PermissionGraph, SqlError.SqlError> =>
  Effect.map(sql.unsafe<LevelRow>(READ), (rows) => {
    const groups = new Map<GroupId, Map<CollectionId, CollectionLevel>>()
    for (const { collection_id, group_id, level } of rows) {
      groups.set(group_id, (groups.get(group_id) ?? new Map()).set(collection_id, level))
    }
    return { revision: rows[0]?.revision ?? 0, groups }
  })

/** Fails with `Invalid` unless every id is one of the table's. `table` is a constant. */
const assertKnown = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  [kind, table]: readonly [string, string],
  ids: ReadonlyArray<number>
): Effect.fn.Return<void, PeopleError | SqlError.SqlError> {
  const [missing] = yield* sql.unsafe<{ readonly id: number }>(MISSING(table), [intArray(ids)])
  if (missing === undefined) return
  return yield* invalidValues([{ field: "groups", message: `There is no ${kind} with the id ${missing.id}.` }])
})

const ADMINISTRATORS_WRITE = invalidValues([
  {
    field: `groups/${ADMINISTRATORS}`,
    message: "Administrators may do everything; leave their group out, or give it `write`."
  }
])

const STALE = new PeopleError({
  reason: "Stale",
  message: "The permissions were changed in the meantime. Read them again, and make your change to the latest revision."
})

/** Changes the given levels, in the caller's transaction. */
export const writeGraph = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  revision: number,
  changes: PermissionLevels
): Effect.fn.Return<PermissionGraph, PeopleError | SqlError.SqlError> {
  // The row's lock makes concurrent changes wait for each other.
  const next = yield* sql.unsafe(NEXT_REVISION, [revision])
  if (next.length === 0) return yield* STALE
  const collections = [...changes.values()].flatMap((levels) => [...levels.keys()])
  yield* assertKnown(sql, ["group", "product_analytics_group"], [...changes.keys()])
  yield* assertKnown(sql, ["collection", "product_analytics_collection"], [...new Set(collections)])
  for (const [group, levels] of changes) {
    for (const [collection, level] of levels) {
      if (group === ADMINISTRATORS && level !== "write") return yield* ADMINISTRATORS_WRITE
      if (group === ADMINISTRATORS) continue
      yield* level === "none" ? sql.unsafe(UNSET, [group, collection]) : sql.unsafe(SET, [group, collection, level])
    }
  }
  return yield* readGraph(sql)
})
