import { expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, type Redacted } from "effect"
import { instanceKey } from "../../../../src/domain/keyScope.ts"
import { ALL_USERS, GroupId } from "../../../../src/domain/people.ts"
import { AdminKeys } from "../../../../src/ports/AdminKeys.ts"
import { allowing } from "../../../support/eventually.ts"
import { run, startProcess } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const keysOf = (url: Redacted.Redacted<string>) => Effect.map(startProcess(url), Context.get(AdminKeys))

test("a created key is verified with its role, and only its hash is stored", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const keys = yield* keysOf(url)
      const { key, record } = yield* keys.create("grafana", instanceKey("viewer"))
      expect(key).toMatch(/^ff_[\w-]{43}$/)
      expect(record).toMatchObject({ name: "grafana", role: "viewer", prefix: key.slice(0, 8) })
      expect(yield* keys.verify(key)).toEqual(record)
      expect(yield* keys.list).toEqual([record])
      const sql = yield* openClient(url)
      const rows = yield* sql.unsafe<{ all: string; hash: string }>(
        "SELECT row_to_json(k)::text AS all, encode(hash, 'hex') AS hash FROM product_analytics_key k"
      )
      expect(rows[0]?.all).not.toContain(key)
      expect(rows[0]?.hash).toBe(new Bun.CryptoHasher("sha256").update(key).digest("hex"))
    })
  )
})

test("an unknown key is rejected", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const keys = yield* keysOf(url)
      for (const key of ["", "ff_", "ff_wrong", "x".repeat(100_000), "\u0000"])
        expect(yield* keys.verify(key)).toBeNull()
    })
  )
})

test("a read-only key and a key of a group keep their scope, and their last use is written in the background", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const created = yield* Effect.scoped(
        Effect.gen(function* () {
          const keys = yield* keysOf(url)
          const readOnly = yield* keys.create("reader", { role: "admin", isReadOnly: true, group: null })
          const bound = yield* keys.create("bound", { role: null, isReadOnly: true, group: ALL_USERS })
          expect(yield* keys.verify(readOnly.key)).toMatchObject({ role: "admin", isReadOnly: true, group: null })
          expect(yield* keys.verify(bound.key)).toMatchObject({ role: null, isReadOnly: true, group: ALL_USERS })
          const unknown = keys.create("x", { role: null, isReadOnly: false, group: GroupId.make(99) })
          expect((yield* Effect.flip(unknown)).reason).toBe("Invalid")
          yield* keys.create("unused", instanceKey("viewer"))
          expect((yield* keys.list).map(({ lastUsedAt }) => lastUsedAt)).toEqual([null, null, null])
          return readOnly
        })
      )
      const listed = yield* (yield* keysOf(url)).list
      expect(listed.map(({ lastUsedAt, name }) => [name, lastUsedAt === null]).toSorted()).toEqual([
        ["bound", false],
        ["reader", false],
        ["unused", true]
      ])
      const age = Date.now() - (listed.find(({ id }) => id === created.record.id)?.lastUsedAt?.getTime() ?? 0)
      expect(age).toBeLessThan(allowing(10_000))
    })
  )
})

test("a revoked key is rejected at once by the same process, and within 5 s by others that have it cached", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const mine = yield* keysOf(url)
      const theirs = yield* keysOf(url)
      const { key, record } = yield* mine.create("leaked", instanceKey("admin"))
      expect(yield* theirs.verify(key)).toEqual(record)
      const sql = yield* openClient(url)
      yield* sql.unsafe("ALTER TABLE product_analytics_key DISABLE TRIGGER product_analytics_key_changed")
      // Until both listen, since starting to listen clears the cache.
      yield* Effect.sleep("1 second")
      expect(yield* theirs.verify(key)).toEqual(record)
      yield* mine.revoke(record.id)
      expect(yield* mine.verify(key)).toBeNull()
      const begin = performance.now()
      yield* theirs
        .verify(key)
        .pipe(
          Effect.delay("20 millis"),
          Effect.repeat({ until: (found) => found === null }),
          Effect.timeout("8 seconds")
        )
      expect(performance.now() - begin).toBeLessThan(allowing(5_000))
      expect(yield* mine.list).toEqual([])
    })
  )
}, 180_000)

test("revoking an unknown or revoked key fails with NotFound", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const keys = yield* keysOf(url)
      const { record } = yield* keys.create("x", instanceKey("admin"))
      yield* keys.revoke(record.id)
      for (const id of [record.id, "9999", crypto.randomUUID()]) {
        expect((yield* Effect.flip(keys.revoke(id))).reason).toBe("NotFound")
      }
    })
  )
})

test("verifying a key again uses the cache", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const keys = yield* keysOf(url)
      const { key } = yield* keys.create("x", instanceKey("admin"))
      yield* keys.verify(key)
      const begin = performance.now()
      for (let i = 0; i < 2_000; i++) yield* keys.verify(key)
      expect(performance.now() - begin).toBeLessThan(allowing(500))
    })
  )
})
