import { Cache, Effect, Exit, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { UUID_PATTERN } from "../../../src/domain/ids.ts"
import type { KeyScope } from "../../../src/domain/keyScope.ts"
import type { GroupId } from "../../../src/domain/people.ts"
import { AdminKey, AdminKeys, AdminKeysError } from "../../../src/ports/AdminKeys.ts"
import { floatArray, uuidArray } from "../client/arrays.ts"
import { AppDatabase } from "../client/Database.ts"
import { runChange, runStatement } from "../client/runStatement.ts"
import { audited } from "./audit.ts"
import { Changes } from "./Changes.ts"
import { LastUses } from "./LastUses.ts"
import { hashKey, keyPrefix, newKey } from "./plainKey.ts"
import { MAX_TOKEN_LENGTH } from "./secretTokens.ts"

/** How long a looked-up key is cached. A change that is noticed clears the cache sooner. */
const CACHE_TTL = "4 seconds"
/** How many keys are cached, including unknown ones. */
const CACHE_CAPACITY = 1_000

interface Row {
  readonly id: string
  readonly name: string
  readonly role: "admin" | "viewer" | "scoped"
  readonly read_only: boolean
  readonly group_id: GroupId | null
  readonly prefix: string
  readonly created_ms: number
  readonly used_ms: number | null
}

const COLUMNS = `id, name, role, read_only, group_id, prefix, floor(extract(epoch FROM created_at) * 1000)::float8 AS created_ms,
  (SELECT floor(extract(epoch FROM last_used_at) * 1000)::float8 FROM product_analytics_key_use WHERE key_id = id) AS used_ms`
const FIND = `SELECT ${COLUMNS} FROM product_analytics_key WHERE hash = decode($1, 'hex') AND revoked_at IS NULL`
const LIST = `SELECT ${COLUMNS} FROM product_analytics_key WHERE revoked_at IS NULL ORDER BY created_at, id`
// Without a row, the group does not exist.
const CREATE = `INSERT INTO product_analytics_key (id, name, role, read_only, group_id, prefix, hash)
  SELECT $1::uuid, $2, $3, $4, $5::int, $6, decode($7, 'hex')
  WHERE $5::int IS NULL OR EXISTS (SELECT FROM product_analytics_group WHERE id = $5::int)
  RETURNING ${COLUMNS}`
const REVOKE =
  "UPDATE product_analytics_key SET revoked_at = now() WHERE id = $1::uuid AND revoked_at IS NULL RETURNING id, name"
const TOUCH = `INSERT INTO product_analytics_key_use (key_id, last_used_at)
  SELECT used.id, to_timestamp(used.ms / 1000) FROM unnest($1::uuid[], $2::float8[]) AS used (id, ms)
  JOIN product_analytics_key AS key ON key.id = used.id
  ORDER BY used.id
  ON CONFLICT (key_id) DO UPDATE SET last_used_at = greatest(excluded.last_used_at, product_analytics_key_use.last_used_at)`

const date = (ms: number) => new Date(ms)

const toAdminKey = (row: Row): AdminKey =>
  new AdminKey({
    id: row.id,
    name: row.name,
    role: row.role !== "scoped" ? row.role : row.group_id === null ? "admin" : null,
    isReadOnly: row.read_only,
    group: row.group_id,
    prefix: row.prefix,
    createdAt: date(row.created_ms),
    lastUsedAt: row.used_ms === null ? null : date(row.used_ms)
  })

/** The column `role`: an older Footfall accepts a key only with a role that it knows. */
const roleColumn = ({ group, isReadOnly, role }: KeyScope): Row["role"] =>
  group === null && !isReadOnly ? (role ?? "admin") : "scoped"

const unavailable = (message: string) => new AdminKeysError({ reason: "Unavailable", message })

const keyNotFound = (id: string) =>
  new AdminKeysError({
    reason: "NotFound",
    message: `There is no key with the id ${JSON.stringify(id.slice(0, 100))}.`
  })

/** API keys in the app database. They are found by their hash, so the time of a look-up reveals nothing about a key. */
export const layer: Layer.Layer<AdminKeys, never, AppDatabase | Changes> = Layer.effect(
  AdminKeys,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const select = (statement: string, values: ReadonlyArray<unknown>) =>
      runStatement(sql.unsafe<Row>(statement, values), unavailable).pipe(Effect.map((rows) => rows.map(toAdminKey)))

    const cache = yield* Cache.makeWith(
      (hash: string) => Effect.map(select(FIND, [hash]), ([record = null]) => record),
      { capacity: CACHE_CAPACITY, timeToLive: (exit) => (Exit.isSuccess(exit) ? CACHE_TTL : 0) }
    )
    const clearCache = Cache.invalidateAll(cache)
    yield* changes.follow("keys", clearCache)

    const uses = new LastUses()
    yield* uses.writeWith((ids, times) =>
      runStatement(sql.unsafe(TOUCH, [uuidArray(ids), floatArray(times)]), unavailable)
    )

    const insert = Effect.fnUntraced(function* (
      name: string,
      scope: KeyScope
    ): Effect.fn.Return<{ readonly key: string; readonly record: AdminKey }, AdminKeysError | SqlError.SqlError> {
      const key = newKey()
      const id = crypto.randomUUID()
      const values = [id, name, roleColumn(scope), scope.isReadOnly, scope.group, keyPrefix(key), hashKey(key)]
      const [row] = yield* sql.unsafe<Row>(CREATE, values)
      if (row === undefined) {
        return yield* new AdminKeysError({
          reason: "Invalid",
          message: `There is no group with the id ${scope.group}.`
        })
      }
      return { key, record: toAdminKey(row) }
    })

    return AdminKeys.of({
      verify: (key) =>
        key.length > MAX_TOKEN_LENGTH
          ? Effect.succeed(null)
          : Effect.tap(Cache.get(cache, hashKey(key)), (record) =>
              record === null ? Effect.void : uses.touch(record.id)
            ),
      create: (name, scope) =>
        audited(sql, insert(name, scope), ({ record: { group, id, isReadOnly, role } }) => ({
          action: "key.create",
          targetKind: "key",
          targetId: id,
          targetName: name,
          details: { role, read_only: isReadOnly, group_id: group }
        })).pipe((change) => runChange(change, unavailable), Effect.tap(clearCache)),
      list: select(LIST, []),
      revoke: Effect.fnUntraced(function* (id) {
        if (!UUID_PATTERN.test(id)) return yield* keyNotFound(id)
        const revoke = sql.unsafe<{ readonly id: string; readonly name: string }>(REVOKE, [id])
        const revoked = yield* audited(sql, revoke, ([key]) =>
          key === undefined ? null : { action: "key.revoke", targetKind: "key", targetId: key.id, targetName: key.name }
        ).pipe((change) => runChange(change, unavailable))
        yield* clearCache
        if (revoked.length === 0) return yield* keyNotFound(id)
      })
    })
  })
)
