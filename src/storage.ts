import { Effect, Layer } from "effect"
import { layerWriterDatabase } from "../layers/postgres/connect.ts"
import type { AppDatabase, DatabaseUrl } from "../layers/postgres/Database.ts"
import { PgStorage } from "../layers/postgres/PgStorage.ts"
import { StartError } from "./domain/StartError.ts"
import { STORAGE_BACKEND } from "./domain/settings.ts"
import { Settings } from "./ports/Settings.ts"
import type { Storage } from "./ports/Storage.ts"

type Backend = Layer.Layer<Storage, StartError, AppDatabase | DatabaseUrl | Settings>

/** This file's neighbour, in the sources and in a bundle alike. */
const LAKE_WORKER = new URL(import.meta.url.endsWith(".ts") ? "./lakeWorker.ts" : "./lakeWorker.js", import.meta.url)

/** Loaded when it is chosen: a collector that writes to Postgres has no use for it. */
const iceberg: Backend = Layer.unwrap(
  Effect.map(
    Effect.tryPromise({
      try: () => import("../layers/iceberg/IcebergStorage.ts"),
      catch: (cause) => new StartError({ message: `The lake's code can't be loaded: ${String(cause)}` })
    }),
    ({ icebergStorage }) => icebergStorage(LAKE_WORKER)
  )
)

/** Every storage that `STORAGE_BACKEND` may name. */
const BACKENDS: Readonly<Record<typeof STORAGE_BACKEND.default, Backend>> = {
  postgres: PgStorage.pipe(Layer.provide(layerWriterDatabase)),
  iceberg
}

/** The storage that the setting names. */
export const storage: Backend = Layer.unwrap(
  Effect.map(Settings, (settings) => BACKENDS[settings.get(STORAGE_BACKEND)])
)
