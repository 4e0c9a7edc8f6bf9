import { setDefaultTimeout } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { makeCatalog } from "../../layers/iceberg/catalog/makeCatalog.ts"
import { folderLake, HeldFiles, keptInLake, openLakeStorage, readLake } from "../support/lake/lakeStorage.ts"
import { emptiedDatabase } from "../support/postgres/pgStorage.ts"
import { storageContract } from "./storage.ts"

setDefaultTimeout(180_000)

storageContract(
  "IcebergStorage",
  ({ maxPending }) =>
    Effect.gen(function* () {
      const url = yield* emptiedDatabase
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "footfall-lake-"))),
        (created) => Effect.sync(() => rmSync(created, { recursive: true, force: true }))
      )
      const held = new HeldFiles()
      const storage = yield* openLakeStorage(url, {
        folder,
        files: held.files,
        environment: { STORAGE_QUEUE_EVENTS: String(maxPending) }
      })
      const catalog = yield* Effect.orDie(
        makeCatalog({ type: "hadoop", warehouse: folderLake(folder).PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE! })
      )
      const lake = { catalog, namespace: ["product_analytics"] }
      return {
        storage,
        // A flush moves what is on the collector's disk to the tables, and waits for records that are not there yet.
        read: Effect.andThen(
          Effect.suspend(() =>
            Effect.runSync(storage.status).pendingRecords === 0 ? Effect.orDie(storage.flush) : Effect.void
          ),
          readLake(lake)
        ),
        hold: held.hold
      }
    }),
  keptInLake
)
