import { Clock, Effect, Layer } from "effect"
import { hashKey, keyPrefix, newKey } from "../../../layers/postgres/control/plainKey.ts"
import { instanceKey, type KeyScope } from "../../../src/domain/keyScope.ts"
import type { Role } from "../../../src/domain/Principal.ts"
import { AdminKey, AdminKeys, AdminKeysError } from "../../../src/ports/AdminKeys.ts"

/** Keys in this process only, for tests. `initial` maps a plain key to its role. */
export const layer = (initial: Readonly<Record<string, Role>> = {}): Layer.Layer<AdminKeys> =>
  Layer.sync(AdminKeys, () => {
    const keys = new Map<string, AdminKey>()
    const add = (key: string, name: string, { group, isReadOnly, role }: KeyScope, at: number) => {
      const record = new AdminKey({
        id: crypto.randomUUID(),
        name,
        role,
        isReadOnly,
        group,
        lastUsedAt: null,
        prefix: keyPrefix(key),
        createdAt: new Date(at)
      })
      keys.set(hashKey(key), record)
      return { key, record }
    }
    for (const [key, role] of Object.entries(initial)) add(key, `initial ${role}`, instanceKey(role), 0)

    return AdminKeys.of({
      verify: (key) => Effect.sync(() => keys.get(hashKey(key)) ?? null),
      create: (name, scope) => Effect.map(Clock.currentTimeMillis, (now) => add(newKey(), name, scope, now)),
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
