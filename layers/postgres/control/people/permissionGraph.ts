import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import {
  ADMINISTRATORS,
  type CollectionId,
  type CollectionLevel,
  type CollectionLevels,
  type GroupId,
  isLower,
  levelIn
} from "../../../../src/domain/people.ts"
import type { PermissionGraph, PermissionLevels } from "../../../../src/ports/Groups.ts"
import { invalidValues, PeopleError } from "../../../../src/ports/PeopleError.ts"
import { intArray } from "../../client/arrays.ts"

type Path = ReadonlyArray<CollectionId>

interface GraphRow {
  readonly revision: number
  readonly group_id: GroupId
  /** Null: that of the nearest collection above. */
  readonly level: CollectionLevel | null
  readonly path: Path
}

interface LevelRow {
  readonly group_id: GroupId
  readonly collection_id: CollectionId
  readonly level: CollectionLevel
}

/** Every group with every collection. Administrators may do everything, which is not stored. */
const READ = `WITH collection AS MATERIALIZED (
    SELECT id, product_analytics_collection_path(id) AS path FROM product_analytics_collection WHERE NOT archived
  )
  SELECT r.revision, g.id AS group_id, CASE WHEN g.id = ${ADMINISTRATORS} THEN 'write' ELSE p.level END AS level, c.path
  FROM product_analytics_permission_revision r
  CROSS JOIN product_analytics_group g
  CROSS JOIN collection c
  LEFT JOIN product_analytics_collection_permission p ON p.group_id = g.id AND p.collection_id = c.id
  ORDER BY g.id, c.id`
const LEVELS = `SELECT group_id, collection_id, level FROM product_analytics_collection_permission
  WHERE group_id = ANY($1::int[])`
const PATHS = `SELECT product_analytics_collection_path(id) AS path FROM product_analytics_collection
  WHERE id = ANY($1::int[])`
const NEXT_REVISION =
  "UPDATE product_analytics_permission_revision SET revision = revision + 1 WHERE revision = $1::int RETURNING revision"
const MISSING = (table: string) => `SELECT given.id FROM unnest($1::int[]) AS given (id)
  WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t.id = given.id) LIMIT 1`
const SET = `INSERT INTO product_analytics_collection_permission (group_id, collection_id, level) VALUES ($1::int, $2::int, $3)
  ON CONFLICT (group_id, collection_id) DO UPDATE SET level = excluded.level
  WHERE product_analytics_collection_permission.level <> excluded.level`
const UNSET = "DELETE FROM product_analytics_collection_permission WHERE group_id = $1::int AND collection_id = $2::int"

const idOf = (path: Path): CollectionId => path.at(-1)!

export const readGraph = (sql: SqlClient.SqlClient): Effect.Effect<PermissionGraph, SqlError.SqlError> =>
  Effect.map(sql.unsafe<GraphRow>(READ), (rows) => {
    const groups = Map.groupBy(rows, ({ group_id }) => group_id)
      .entries()
      .map(([group, ofGroup]) => {
        const own = new Map(
          ofGroup.flatMap(({ level, path }) => (level === null ? [] : [[idOf(path), level] as const]))
        )
        return [group, new Map(ofGroup.map(({ path }) => [idOf(path), levelIn(own, path)]))] as const
      })
    return { revision: rows[0]?.revision ?? 0, groups: new Map(groups) }
  })

/** Fails with `Invalid` unless every id is one of the table's, which is a constant. `fieldOf`: where an id was given. */
const assertKnown = Effect.fnUntraced(function* <Id extends number>(
  sql: SqlClient.SqlClient,
  [kind, table]: readonly [string, string],
  ids: ReadonlyArray<Id>,
  fieldOf: (id: Id) => string
): Effect.fn.Return<void, PeopleError | SqlError.SqlError> {
  const [missing] = yield* sql.unsafe<{ readonly id: Id }>(MISSING(table), [intArray(ids)])
  if (missing === undefined) return
  return yield* invalidValues([
    { field: fieldOf(missing.id), message: `There is no ${kind} with the id ${missing.id}.` }
  ])
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

/** Whether a collection with this level just follows those above it. `none` is kept, so that it stays when those above get another level. */
const isInherited = (levels: CollectionLevels, path: Path, level: CollectionLevel): boolean => {
  const above = path.slice(0, -1)
  return level === levelIn(levels, above) && (level !== "none" || above.length === 0)
}

/**
 * Whether a collection without a level of its own is given the one that it had, by a client that sends the whole graph back, while those above it
 * get a lower one: it follows them. With a higher one, it keeps what it was given: nothing opens unless somebody says so.
 */
const isSentBack = (before: CollectionLevels, after: CollectionLevels, path: Path, level: CollectionLevel): boolean =>
  !before.has(idOf(path)) && level === levelIn(before, path) && isLower(levelIn(after, path.slice(0, -1)), level)

/** Changes the given levels, in the caller's transaction. */
export const writeGraph = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  revision: number,
  changes: PermissionLevels
): Effect.fn.Return<PermissionGraph, PeopleError | SqlError.SqlError> {
  // The row's lock makes concurrent changes wait for each other.
  const next = yield* sql.unsafe(NEXT_REVISION, [revision])
  if (next.length === 0) return yield* STALE
  const collections = [...new Set([...changes.values()].flatMap((levels) => [...levels.keys()]))]
  yield* assertKnown(sql, ["group", "product_analytics_group"], [...changes.keys()], (id) => `groups/${id}`)
  yield* assertKnown(sql, ["collection", "product_analytics_collection"], collections, (id) => {
    const [group] = [...changes].find(([, levels]) => levels.has(id))!
    return `groups/${group}/${id}`
  })
  const stored = Map.groupBy(
    yield* sql.unsafe<LevelRow>(LEVELS, [intArray([...changes.keys()])]),
    (row) => row.group_id
  )
  const paths = (yield* sql.unsafe<{ readonly path: Path }>(PATHS, [intArray(collections)]))
    .map(({ path }) => path)
    // A collection is compared with those above it, which come first.
    .toSorted((one, other) => one.length - other.length)
  for (const [group, given] of changes) {
    const before = new Map(stored.get(group)?.map(({ collection_id, level }) => [collection_id, level]))
    const levels = new Map(before)
    for (const path of paths) {
      const id = idOf(path)
      const level = given.get(id)
      if (level === undefined) continue
      if (group === ADMINISTRATORS && level !== "write") return yield* ADMINISTRATORS_WRITE
      if (group === ADMINISTRATORS) continue
      if (isSentBack(before, levels, path, level)) continue
      if (isInherited(levels, path, level)) {
        levels.delete(id)
        yield* sql.unsafe(UNSET, [group, id])
      } else {
        levels.set(id, level)
        yield* sql.unsafe(SET, [group, id, level])
      }
    }
  }
  return yield* readGraph(sql)
})
