import { Effect, Layer } from "effect"
import type { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { PgQueryEngine } from "../../layers/postgres/query/PgQueryEngine.ts"
import { StartError } from "../domain/StartError.ts"
import { QueryEngine, QueryError } from "../ports/QueryEngine.ts"
import { Settings } from "../ports/Settings.ts"
import { STORAGE_BACKEND, WAREHOUSE } from "../settings/settings.ts"

type Warehouse = Layer.Layer<QueryEngine, StartError, AppDatabase | DatabaseUrl | Settings>
type Name = typeof WAREHOUSE.default

/** Loaded when it is chosen: who asks Postgres has no use for the code of another engine. */
const loaded = (name: Name, load: () => Promise<Warehouse>): Warehouse =>
  Layer.unwrap(
    Effect.tryPromise({
      try: load,
      catch: (cause) => new StartError({ message: `The code of ${WAREHOUSE.env}=${name} can't be loaded: ${cause}` })
    })
  )

/** Every engine that `WAREHOUSE` may name. */
const ENGINES: Readonly<Record<Name, Warehouse>> = {
  postgres: PgQueryEngine,
  trino: loaded("trino", async () => (await import("../../layers/trino/TrinoQueryEngine.ts")).TrinoQueryEngine),
  duckdb: loaded("duckdb", async () => {
    const [{ duckDbQueryEngine }, { icebergLake }] = await Promise.all([
      import("../../layers/duckdb/DuckDbQueryEngine.ts"),
      import("../../layers/duckdb/icebergLake.ts")
    ])
    return Layer.unwrap(Effect.map(icebergLake, duckDbQueryEngine))
  })
}

const NO_EVENTS = `The events are in the lake (${STORAGE_BACKEND.env}=iceberg), and ${WAREHOUSE.env} is postgres, which has none of them: set it to duckdb or trino.`

/** Collecting works without questions, so it starts; zeros would be a wrong answer, so it gives none. */
const noWarehouse: Warehouse = Layer.effect(
  QueryEngine,
  Effect.as(
    Effect.logWarning(NO_EVENTS),
    QueryEngine.of({
      dialect: "postgres",
      run: () => Effect.fail(new QueryError({ reason: "Missing", message: NO_EVENTS }))
    })
  )
)

/** What is asked about the events: the engine that `WAREHOUSE` names, where `STORAGE_BACKEND` puts them. */
export const warehouse: Warehouse = Layer.unwrap(
  Effect.gen(function* () {
    const { get } = yield* Settings
    const name = get(WAREHOUSE)
    if (name === "postgres") return get(STORAGE_BACKEND) === "iceberg" ? noWarehouse : ENGINES.postgres
    if (get(STORAGE_BACKEND) !== "iceberg") {
      return yield* new StartError({
        message: `${WAREHOUSE.env} is ${name}, which reads the lake, and ${STORAGE_BACKEND.env} is ${get(STORAGE_BACKEND)}, which writes none: set ${STORAGE_BACKEND.env}=iceberg, or ${WAREHOUSE.env}=postgres.`
      })
    }
    return ENGINES[name]
  })
)
