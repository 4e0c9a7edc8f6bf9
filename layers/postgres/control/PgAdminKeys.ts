import { Clock, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { Role } from "../../../src/domain/Principal.ts"
import { AdminKey, AdminKeys, AdminKeysError } from "../../../src/ports/AdminKeys.ts"
import { FIRST_KEY_LOCK } from "../client/advisoryLocks.ts"
import { AppDatabase } from "../client/Database.ts"
import { runStatement } from "../client/runStatement.ts"
import { Changes } from "./Changes.ts"
import { hashKey, keyPrefix, newKey } from "./plainKey.ts"

/** How long an answer about a key may be reused; with the notification of changes, a revoked key ends sooner. */
const REUSE_MS = 4_000
/** Keys whose answers are kept, unknown ones included: past it the oldest are forgotten. */
const MOST_KEPT = 1_000
/** Keys are 46 characters; nothing longer is hashed. */
const MAX_KEY_LENGTH = 200

interface Row {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly prefix: string
  readonly created_ms: number
}

const COLUMNS = "id, name, role, prefix, floor(extract(epoch FROM created_at) * 1000)::float8 AS created_ms"
const VERIFY = `SELECT ${COLUMNS} FROM product_analytics_key WHERE hash = $1 AND revoked_at IS NULL`
const LIST = `SELECT ${COLUMNS} FROM product_analytics_key WHERE revoked_at IS NULL ORDER BY created_at, id`
const CREATE = `INSERT INTO product_analytics_key (id, name, role, prefix, hash) VALUES ($1::uuid, $2, $3, $4, $5)
  RETURNING ${COLUMNS}`
const REVOKE =
  "UPDATE product_analytics_key SET revoked_at = now() WHERE id::text = $1 AND revoked_at IS NULL RETURNING id"

const keyOf = ({ created_ms, ...row }: Row): AdminKey => new AdminKey({ ...row, createdAt: new Date(created_ms) })

const unavailable = (message: string) => new AdminKeysError({ reason: "Unavailable", message })

/** API keys of the app database. The look-up is by hash, so its time tells nothing about any key. */
export const layer: Layer.Layer<AdminKeys, never, AppDatabase | Changes> = Layer.effect(
  AdminKeys,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const changes = yield* Changes
    const known = new Map<string, { readonly until: number; readonly record: AdminKey | null }>()
    const forget = Effect.sync(() => known.clear())
    yield* changes.follow("keys", forget)

    const ask = (statement: string, values: ReadonlyArray<unknown>) =>
      runStatement(sql.unsafe<Row>(statement, values), unavailable).pipe(Effect.map((rows) => rows.map(keyOf)))

    const insert = (name: string, role: Role) => {
      const key = newKey()
      const hash = Buffer.from(hashKey(key), "hex")
      return Effect.map(
        sql.unsafe<Row>(CREATE, [crypto.randomUUID(), name, role, keyPrefix(key), hash]),
        ([row]): { readonly key: string; readonly record: AdminKey } => ({ key, record: keyOf(row!) })
      )
    }

    return AdminKeys.of({
      verify: Effect.fnUntraced(function* (key) {
        if (key.length > MAX_KEY_LENGTH) return null
        const hash = hashKey(key)
        const now = yield* Clock.currentTimeMillis
        const kept = known.get(hash)
        if (kept !== undefined && kept.until > now) return kept.record
        const [record = null] = yield* ask(VERIFY, [Buffer.from(hash, "hex")])
        known.delete(hash)
        known.set(hash, { until: now + REUSE_MS, record })
        const [oldest] = known.keys()
        if (known.size > MOST_KEPT && oldest !== undefined) known.delete(oldest)
        return record
      }),
      create: (name, role) => Effect.tap(runStatement(insert(name, role), unavailable), forget),
      createFirst: runStatement(
        sql.withTransaction(
          Effect.gen(function* (): Effect.fn.Return<string | null, SqlError.SqlError> {
            yield* sql.unsafe("SELECT pg_advisory_xact_lock($1)", [FIRST_KEY_LOCK])
            // Revoked ones count: whoever revoked the last key did not ask for a new one in the log.
            const any = yield* sql.unsafe("SELECT 1 FROM product_analytics_key LIMIT 1")
            return any.length > 0 ? null : (yield* insert("first", "admin")).key
          })
        ),
        unavailable
      ),
      list: ask(LIST, []),
      revoke: Effect.fnUntraced(function* (id) {
        const revoked = yield* runStatement(sql.unsafe(REVOKE, [id.toLowerCase()]), unavailable)
        yield* forget
        if (revoked.length > 0) return
        return yield* new AdminKeysError({
          reason: "NotFound",
          message: `There is no key with the id ${JSON.stringify(id.slice(0, 100))}.`
        })
      })
    })
  })
)
