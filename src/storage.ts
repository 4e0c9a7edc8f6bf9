import { Effect, Layer } from "effect"
import { layerWriterDatabase } from "../layers/postgres/connect.ts"
import type { AppDatabase, DatabaseUrl } from "../layers/postgres/Database.ts"
import { PgStorage } from "../layers/postgres/PgStorage.ts"
import type { StartError } from "./domain/StartError.ts"
import { STORAGE_BACKEND } from "./domain/settings.ts"
import { Settings } from "./ports/Settings.ts"
import type { Storage } from "./ports/Storage.ts"

type Backend = Layer.Layer<Storage, StartError, AppDatabase | DatabaseUrl | Settings>

/** Every storage that `STORAGE_BACKEND` may name. */
const BACKENDS: Readonly<Record<typeof STORAGE_BACKEND.default, Backend>> = {
  postgres: PgStorage.pipe(Layer.provide(layerWriterDatabase))
}

/** The storage that the setting names. */
export const storage: Backend = Layer.unwrap(
  Effect.map(Settings, (settings) => BACKENDS[settings.get(STORAGE_BACKEND)])
)
