import { setDefaultTimeout } from "bun:test"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { spooledStorage } from "../../layers/forward/spooledStorage.ts"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { Storage } from "../../src/ports/Storage.ts"
import { stored } from "../support/collect/records.ts"
import { HeldFiles } from "../support/lake/lakeStorage.ts"
import { jsonCodec, makeMemoryDestination } from "../support/memory/MemoryDestination.ts"
import * as MemoryStorage from "../support/memory/MemoryStorage.ts"
import { emptiedDatabase } from "../support/postgres/pgStorage.ts"
import { temporaryFolder } from "../support/postgres/postgres.ts"
import { storageContract } from "./storage.ts"

setDefaultTimeout(180_000)

const DAY_MS = 86_400_000

/** Any destination, here one in memory, is a storage through the spool. */
storageContract("spooledStorage", ({ maxPending }) =>
  Effect.gen(function* () {
    const database = yield* emptiedDatabase
    const services = yield* Layer.build(
      Layer.fresh(AppDatabase.layer.pipe(Layer.provide(Layer.succeed(DatabaseUrl, { url: database, embedded: true }))))
    )
    const memory = yield* Layer.build(Layer.fresh(MemoryStorage.layer()))
    const records = Context.get(memory, MemoryStorage.StoredRecords)
    const held = new HeldFiles()
    const storage = yield* spooledStorage(
      Effect.succeed(makeMemoryDestination(Context.get(memory, Storage))),
      jsonCodec,
      Context.get(services, AppDatabase),
      {
        backend: "memory",
        root: join(temporaryFolder(), "spool"),
        spool: { maxPending, maxBytes: 2 ** 30, timeoutMs: 10_000, files: held.files },
        flush: { intervalMs: DAY_MS, batchSize: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }
      }
    )
    return {
      storage,
      read: Effect.andThen(
        Effect.suspend(() =>
          Effect.runSync(storage.status).pendingRecords === 0 ? Effect.orDie(storage.flush) : Effect.void
        ),
        Effect.sync(() =>
          stored({
            events: records.events.values(),
            sessions: records.sessions.values(),
            attributes: [...records.attributes].flatMap(([sessionId, values]) =>
              [...values.values()].map((property) => ({ ...property, sessionId }))
            )
          })
        )
      ),
      hold: held.hold
    }
  }).pipe(Effect.orDie)
)
