import { setDefaultTimeout } from "bun:test"
import { Effect } from "effect"
import { EVENT_TABLES, emptiedDatabase, lockTables, openStorage, readStored } from "../support/postgres/pgStorage.ts"
import { openClient } from "../support/postgres/postgres.ts"
import { storageContract } from "./storage.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

storageContract("PgStorage", ({ maxPending }) =>
  Effect.gen(function* () {
    const url = yield* emptiedDatabase
    const sql = yield* openClient(url)
    return {
      storage: yield* openStorage(url, { environment: { STORAGE_QUEUE_EVENTS: String(maxPending) } }),
      read: readStored(sql),
      hold: lockTables(sql, ...EVENT_TABLES)
    }
  })
)
