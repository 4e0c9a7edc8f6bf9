import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { ADMINISTRATORS, ALL_USERS, type GroupId, type UserId } from "../../../../src/domain/people.ts"
import { invalidValues, type PeopleError } from "../../../../src/ports/PeopleError.ts"
import { intArray } from "../../client/arrays.ts"
import { closeSetup } from "./administrators.ts"

const MISSING = `SELECT given.id FROM unnest($1::int[]) AS given (id)
  WHERE NOT EXISTS (SELECT FROM product_analytics_group g WHERE g.id = given.id) LIMIT 1`
const ADD = `INSERT INTO product_analytics_membership (group_id, user_id)
  SELECT given.id, $2::int FROM unnest($1::int[]) AS given (id) ON CONFLICT (user_id, group_id) DO NOTHING`
const REMOVE = `DELETE FROM product_analytics_membership WHERE user_id = $2::int AND NOT (group_id = ANY($1::int[]))`

/** Everyone belongs to All users, so that is not stored. */
const stored = (groups: ReadonlyArray<GroupId>) => [...new Set(groups)].filter((group) => group !== ALL_USERS)

/** Adds a user to groups, in the caller's transaction. */
export const addToGroups = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  user: UserId,
  groups: ReadonlyArray<GroupId>
): Effect.fn.Return<void, PeopleError | SqlError.SqlError> {
  const ids = intArray(stored(groups))
  const [missing] = yield* sql.unsafe<{ readonly id: number }>(MISSING, [ids])
  if (missing !== undefined) {
    return yield* invalidValues([{ field: "groups", message: `There is no group with the id ${missing.id}.` }])
  }
  yield* sql.unsafe(ADD, [ids, user])
  if (groups.includes(ADMINISTRATORS)) yield* closeSetup(sql)
})

/** Makes these the user's groups, in the caller's transaction. */
export const replaceGroups = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  user: UserId,
  groups: ReadonlyArray<GroupId>
): Effect.fn.Return<void, PeopleError | SqlError.SqlError> {
  yield* addToGroups(sql, user, groups)
  yield* sql.unsafe(REMOVE, [intArray(stored(groups)), user])
})
