import { Effect, Layer } from "effect"
import { recordingProperties } from "../../layers/inprocess/recordingProperties.ts"
import { type AppDatabase, type DatabaseUrl, WriterDatabase } from "../../layers/postgres/client/Database.ts"
import * as PartitionJob from "../../layers/postgres/events/PartitionJob.ts"
import * as PgStorage from "../../layers/postgres/events/PgStorage.ts"
import * as PgPropertyRecorder from "../../layers/postgres/metadata/PgPropertyRecorder.ts"
import type { StartError } from "../domain/StartError.ts"
import { PropertyRecorder } from "../ports/PropertyRecorder.ts"
import { Settings } from "../ports/Settings.ts"
import { Storage } from "../ports/Storage.ts"
import { STORAGE_BACKEND } from "../settings/settings.ts"
import { load } from "./load.ts"

/** What every storage may use. */
export type StorageServices = AppDatabase | DatabaseUrl | Settings

/** Everything about one storage; a new storage is a new entry of `STORAGES`. */
export interface StorageEntry {
  readonly storage: Layer.Layer<Storage, StartError, StorageServices>
  /** Background work of `bun run full`; each job runs in one process at a time. */
  readonly jobs: Layer.Layer<never, StartError, StorageServices>
}

/** The lake's thread: in the sources next to this folder, in a bundle next to this file. */
const LAKE_WORKER = new URL(import.meta.url.endsWith(".ts") ? "../lakeWorker.ts" : "./lakeWorker.js", import.meta.url)

/** Every storage that `STORAGE_BACKEND` can name. */
export const STORAGES: Readonly<Record<typeof STORAGE_BACKEND.default, StorageEntry>> = {
  postgres: {
    storage: PgStorage.layer.pipe(Layer.provide(WriterDatabase.layer)),
    jobs: PartitionJob.layer
  },
  iceberg: {
    storage: Layer.unwrap(
      Effect.map(
        load("the lake", () => import("../../layers/lake/IcebergStorage.ts")),
        (IcebergStorage) => IcebergStorage.layer(LAKE_WORKER)
      )
    ),
    jobs: Layer.unwrap(
      Effect.map(
        load("the lake", () => import("../../layers/lake/LakeJob.ts")),
        (LakeJob) => LakeJob.layer(LAKE_WORKER)
      )
    )
  }
}

const entry = Effect.map(Settings, ({ get }) => STORAGES[get(STORAGE_BACKEND)])

/** The storage that `STORAGE_BACKEND` names. What it stores is noted in the registry of properties. */
export const storage = Layer.effect(
  Storage,
  Effect.gen(function* () {
    return recordingProperties(yield* Storage, yield* PropertyRecorder)
  })
).pipe(
  Layer.provide(Layer.unwrap(Effect.map(entry, ({ storage }) => storage))),
  Layer.provide(PgPropertyRecorder.layer)
)

/** The background jobs of that storage. */
export const storageJobs = Layer.unwrap(Effect.map(entry, ({ jobs }) => jobs))
