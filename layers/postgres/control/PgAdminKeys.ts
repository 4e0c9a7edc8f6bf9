import { Cache, Effect, Exit, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { Role } from "../../../src/domain/Principal.ts"
import { AdminKey, AdminKeys, AdminKeysError } from "../../../src/ports/AdminKeys.ts"
import { FIRST_KEY_LOCK } from "../client/advisoryLocks.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"
import { Changes } from "./Changes.ts"
import { hashKey, keyPrefix, newKey } from "./plainKey.ts"

/** How long a looked-up key is cached. A change that is noticed clears the cache sooner. */
const CACHE_TTL = "4 seconds"
/** How many keys are cached, including unknown ones. */
const CACHE_CAPACITY = 1_000
/** Keys have 46 characters. Longer strings are not hashed. */
const MAX_KEY_LENGTH = 200

interface Row {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly prefix: string
  readonly created_ms: number
}

const COLUMNS = "id, name, role, prefix, floor(extract(epoch FROM created_at) * 1000)::float8 AS created_ms"
const FIND = `SELECT ${COLUMNS} FROM product_analytics_key WHERE hash = decode($1, 'hex') AND revoked_at IS NULL`
const LIST = `SELECT ${COLUMNS} FROM product_analytics_key WHERE revoked_at IS NULL ORDER BY created_at, id`
const CREATE = `INSERT INTO product_analytics_key (id, name, role, prefix, hash) VALUES ($1::uuid, $2, $3, $4, decode($5, 'hex'))
  RETURNING ${COLUMNS}`
const REVOKE =
  "UPDATE product_analytics_key SET revoked_at = now() WHERE id::text = $1 AND revoked_at IS NULL RETURNING id"
const ANY = "SELECT 1 FROM product_analytics_key LIMIT 1"

const toAdminKey = ({ created_ms, ...row }: Row): AdminKey => new AdminKey({ ...row, createdAt: new Date(created_ms) })

const unavailable = (message: string) => new AdminKeysError({ reason: "Unavailable", message })

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

    const insert = (name: string, role: Role) => {
      const key = newKey()
      return Effect.map(
        sql.unsafe<Row>(CREATE, [crypto.randomUUID(), name, role, keyPrefix(key), hashKey(key)]),
        ([row]): { readonly key: string; readonly record: AdminKey } => ({ key, record: toAdminKey(row!) })
      )
    }

    const insertFirst = sql.withTransaction(
      Effect.gen(function* (): Effect.fn.Return<string | null, SqlError.SqlError> {
        yield* sql.unsafe("SELECT pg_advisory_xact_lock($1)", [FIRST_KEY_LOCK])
        // Revoked keys count: an operator who revokes the last key does not expect a new one to be printed at the next start.
        const existing = yield* sql.unsafe(ANY)
        return existing.length > 0 ? null : (yield* insert("first", "admin")).key
      })
    )

    return AdminKeys.of({
      verify: (key) => (key.length > MAX_KEY_LENGTH ? Effect.succeed(null) : Cache.get(cache, hashKey(key))),
      create: (name, role) => Effect.tap(runStatement(insert(name, role), unavailable), clearCache),
      createFirst: runStatement(insertFirst, unavailable),
      list: select(LIST, []),
      revoke: Effect.fnUntraced(function* (id) {
        const revoked = yield* runStatement(sql.unsafe(REVOKE, [id.toLowerCase()]), unavailable)
        yield* clearCache
        if (revoked.length > 0) return
        return yield* new AdminKeysError({
          reason: "NotFound",
          message: `There is no key with the id ${JSON.stringify(id.slice(0, 100))}.`
        })
      })
    })
  })
)
