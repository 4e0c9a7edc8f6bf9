import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { type Clock, Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { StorageError } from "../../../../src/domain/StorageError.ts"
import type { Storage } from "../../../../src/ports/Storage.ts"
import { event, NOW, saveAll } from "../../../support/collect/records.ts"
import { eventually } from "../../../support/eventually.ts"
import { type Intercept, openStorage, settableClock } from "../../../support/postgres/pgStorage.ts"
import {
  failFirst,
  pageviews,
  serverError,
  TERMINATE_WRITERS,
  withDatabase,
  withOwnDatabase
} from "../../../support/postgres/pgWriter.ts"
import { openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const eventuallyFailsWith = (
  ping: Storage["Service"]["ping"],
  { message, reason }: Pick<StorageError, "reason" | "message">
): Effect.Effect<void> =>
  eventually(`the ping fails: ${message}`, async () => {
    const result = await Effect.runPromise(Effect.result(ping))
    return result._tag === "Failure" && result.failure.reason === reason && result.failure.message === message
  })

describe("ping", () => {
  test("ping fails while the database is read-only", () =>
    withOwnDatabase(({ sql, url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        yield* storage.ping
        const database = "(SELECT quote_ident(current_database()))"
        const [row] = yield* sql.unsafe<{ name: string }>(`SELECT ${database} AS name`)
        yield* sql.unsafe(`ALTER DATABASE ${row!.name} SET default_transaction_read_only = on`)
        yield* sql.unsafe(TERMINATE_WRITERS)
        // The first pings may use the terminated connections.
        yield* eventuallyFailsWith(storage.ping, { reason: "Unavailable", message: "The database is read-only." })

        const writable = `${Redacted.value(url)}&options=-c%20default_transaction_read_only%3Doff`
        const admin = yield* openClient(Redacted.make(writable), 1)
        yield* admin.unsafe(`ALTER DATABASE ${row!.name} RESET default_transaction_read_only`)
        yield* sql.unsafe(TERMINATE_WRITERS)
        yield* eventually("the ping succeeds", () => Effect.runPromise(Effect.isSuccess(storage.ping)))
      })
    ))

  test("ping fails after two seconds without an answer", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const intercept: Intercept = (statement, _, answer) =>
          statement.includes("transaction_read_only") ? Effect.never : answer
        const storage = yield* openStorage(url, { intercept })
        yield* Effect.gen(function* () {
          const ping = yield* Effect.forkChild(Effect.flip(storage.ping), { startImmediately: true })
          yield* TestClock.adjust("1999 millis")
          expect(ping.pollUnsafe()).toBeUndefined()
          yield* TestClock.adjust("1 millis")
          expect(yield* Fiber.join(ping)).toMatchObject({
            reason: "Unavailable",
            message: "The database does not answer within 2 seconds."
          })
        }).pipe(Effect.provide(TestClock.layer()))
      })
    ))

  test("ping fails after a failed write until a write succeeds", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const { intercept } = failFirst(1, () => Effect.fail(serverError("42501")))
        const storage = yield* openStorage(url, { intercept })
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["Unavailable"])
        expect(yield* Effect.flip(storage.ping)).toMatchObject({
          reason: "Unavailable",
          message: "server says 42501"
        })
        expect((yield* storage.status).ready).toBe(false)
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["stored"])
        yield* storage.ping
        expect((yield* storage.status).ready).toBe(true)
      })
    ))

  test("without further writes, ping succeeds again one second after the write deadline", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const { intercept } = failFirst(1, () => Effect.fail(serverError("42501")))
        let elapsed = 0n
        const clock: Clock.Clock = { ...settableClock(NOW).clock, monotonicTimeNanosUnsafe: () => elapsed * 1_000_000n }
        const environment = { STORAGE_TIMEOUT_SECONDS: "5" }
        const storage = yield* openStorage(url, { clock, environment, intercept })
        expect(yield* saveAll(storage, pageviews(1))).toEqual(["Unavailable"])
        elapsed = 5_999n
        expect(yield* Effect.isSuccess(storage.ping)).toBe(false)
        expect((yield* storage.status).ready).toBe(false)
        elapsed = 6_000n
        yield* storage.ping
        expect((yield* storage.status).ready).toBe(true)
      })
    ))

  test("ping succeeds after a refused record", () =>
    withDatabase(({ url }) =>
      Effect.gen(function* () {
        const storage = yield* openStorage(url)
        expect(yield* saveAll(storage, [event({ tag: "x".repeat(51) })])).toEqual(["Refused"])
        yield* storage.ping
      })
    ))
})
