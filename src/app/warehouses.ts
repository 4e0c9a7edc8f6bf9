import { Effect, Layer, References } from "effect"
import * as PgQueryEngine from "../../layers/postgres/query/PgQueryEngine.ts"
import { StartError } from "../domain/StartError.ts"
import { QueryEngine, QueryError } from "../ports/QueryEngine.ts"
import { Settings } from "../ports/Settings.ts"
import { STORAGE_BACKEND, WAREHOUSE } from "../settings/settings.ts"
import { load } from "./load.ts"
import { STORAGES, type StorageServices } from "./storages.ts"

/** The program of DuckDB's process: a file next to this one in a bundle. */
const DUCKDB_CHILD = new URL(
  import.meta.url.endsWith(".ts") ? "../duckDbChild.ts" : "./duckDbChild.js",
  import.meta.url
)

type Warehouse = Layer.Layer<QueryEngine, StartError, StorageServices>

/** Every engine that `WAREHOUSE` can name. */
const ENGINES: Readonly<Record<typeof WAREHOUSE.default, Warehouse>> = {
  postgres: PgQueryEngine.layer,
  trino: Layer.unwrap(
    Effect.map(
      load(`${WAREHOUSE.env}=trino`, () => import("../../layers/trino/TrinoQueryEngine.ts")),
      (TrinoQueryEngine) => TrinoQueryEngine.layer
    )
  ),
  duckdb: Layer.unwrap(
    Effect.gen(function* () {
      const [DuckDbQueryEngine, { icebergLake }] = yield* load(`${WAREHOUSE.env}=duckdb`, () =>
        Promise.all([import("../../layers/duckdb/DuckDbQueryEngine.ts"), import("../../layers/duckdb/icebergLake.ts")])
      )
      return DuckDbQueryEngine.layer(yield* icebergLake, DUCKDB_CHILD)
    })
  )
}

/** Stands in for an engine that has no events: zeros would be wrong, so every query fails with the reason. */
const withoutEngine = (message: string): Warehouse =>
  Layer.effect(
    QueryEngine,
    Effect.as(
      Effect.logWarning(message),
      QueryEngine.of({
        dialect: "postgres",
        run: () => Effect.fail(new QueryError({ reason: "Missing", message }))
      })
    )
  )

/** The engine that `WAREHOUSE` names, if it can query the storage that `STORAGE_BACKEND` names. */
export const warehouse: Warehouse = Layer.unwrap(
  Effect.gen(function* () {
    const { get } = yield* Settings
    const backend = get(STORAGE_BACKEND)
    const name = get(WAREHOUSE)
    const usable = STORAGES[backend].warehouses
    if (usable.includes(name)) return ENGINES[name]
    const choices = usable.join(" or ")
    // Collecting works without queries, so the default does not keep a process from starting.
    if (name === WAREHOUSE.default) {
      return withoutEngine(
        `${WAREHOUSE.env}=${name} cannot query what ${STORAGE_BACKEND.env}=${backend} stores. Set ${WAREHOUSE.env} to ${choices}.`
      )
    }
    return yield* new StartError({
      message: `${WAREHOUSE.env}=${name} cannot query what ${STORAGE_BACKEND.env}=${backend} stores. Set ${WAREHOUSE.env} to ${choices}, or change ${STORAGE_BACKEND.env}.`
    })
  })
)

/** Without the warnings that a starting server would log: a command reports its own errors. */
export const quietWarehouse = warehouse.pipe(Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error")))
