import { Effect, Layer } from "effect"
import { layerWriterDatabase } from "../../layers/postgres/client/connect.ts"
import type { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { PgStorage } from "../../layers/postgres/events/PgStorage.ts"
import { StartError } from "../domain/StartError.ts"
import { Settings } from "../ports/Settings.ts"
import type { Storage } from "../ports/Storage.ts"
import { STORAGE_BACKEND } from "../settings/settings.ts"

type Backend = Layer.Layer<Storage, StartError, AppDatabase | DatabaseUrl | Settings>

/** This file's neighbor, in the sources and in a bundle alike. */
const LAKE_WORKER = new URL(import.meta.url.endsWith(".ts") ? "../lakeWorker.ts" : "./lakeWorker.js", import.meta.url)

/** Loaded when it is chosen: a collector that writes to Postgres has no use for the lake's code. */
const loaded = <A>(load: () => Promise<A>): Effect.Effect<A, StartError> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) => new StartError({ message: `The lake's code can't be loaded: ${String(cause)}` })
  })

const iceberg: Backend = Layer.unwrap(
  Effect.map(
    loaded(() => import("../../layers/lake/IcebergStorage.ts")),
    (IcebergStorage) => IcebergStorage.layer(LAKE_WORKER)
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

type Job = Layer.Layer<never, StartError, AppDatabase | DatabaseUrl | Settings>

const lakeJob: Job = Layer.unwrap(
  Effect.map(
    loaded(() => import("../../layers/lake/LakeJob.ts")),
    (LakeJob) => LakeJob.layer(LAKE_WORKER)
  )
)

/** What the storage that the setting names needs done from time to time, in one process of all. */
export const storageJob: Job = Layer.unwrap(
  Effect.map(Settings, (settings) => (settings.get(STORAGE_BACKEND) === "iceberg" ? lakeJob : Layer.empty))
)
