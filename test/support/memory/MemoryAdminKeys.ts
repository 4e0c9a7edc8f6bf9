import { Clock, Effect, Layer } from "effect"
import { hashKey, keyPrefix, newKey } from "../../../layers/postgres/control/plainKey.ts"
import type { Role } from "../../../src/domain/Principal.ts"
import { AdminKey, AdminKeys, AdminKeysError } from "../../../src/ports/AdminKeys.ts"

/** Keys in this process only, for tests. `initial` maps a plain key to its role. */
export const layer = (initial: Readonly<Record<string, Role>> = {}): Layer.Layer<AdminKeys> =>
  Layer.sync(AdminKeys, () => {
    const keys = new Map<string, AdminKey>()
    const add = (key: string, name: string, role: Role, at: number) => {
      const record = new AdminKey({
        id: crypto.randomUUID(),
        name,
        role,
        prefix: keyPrefix(key),
        createdAt: new Date(at)
      })
      keys.set(hashKey(key), record)
      return { key, record }
    }
    for (const [key, role] of Object.entries(initial)) add(key, `initial ${role}`, role, 0)

    return AdminKeys.of({
      verify: (key) => Effect.sync(() => keys.get(hashKey(key)) ?? null),
      create: (name, role) => Effect.map(Clock.currentTimeMillis, (now) => add(newKey(), name, role, now)),
      createFirst: Effect.map(Clock.currentTimeMillis, (now) =>
        keys.size > 0 ? null : add(newKey(), "first", "admin", now).key
      ),
      list: Effect.sync(() => [...keys.values()]),
      revoke: (id) =>
        Effect.suspend(() => {
          for (const [hash, record] of keys) {
            if (record.id !== id) continue
            keys.delete(hash)
            return Effect.void
          }
          return Effect.fail(new AdminKeysError({ reason: "NotFound", message: `There is no key with the id ${id}.` }))
        })
    })
  })
