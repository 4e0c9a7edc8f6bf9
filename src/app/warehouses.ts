import { Clock, Effect, Layer, References, Stream } from "effect"
import type { DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import * as PgQueryEngine from "../../layers/postgres/query/PgQueryEngine.ts"
import * as ReplicaLayer from "../../layers/replica/Replica.ts"
import { StartError } from "../domain/StartError.ts"
import { QueryEngine, QueryError } from "../ports/QueryEngine.ts"
import { QuestionEngines } from "../ports/QuestionEngines.ts"
import { Replica, type ReplicaStatus } from "../ports/Replica.ts"
import { Settings } from "../ports/Settings.ts"
import { STORAGE_BACKEND, WAREHOUSE, WAREHOUSES, type WarehouseName } from "../settings/settings.ts"
import { warehouseProblem, withoutEngine } from "../settings/startProblems.ts"
import { load } from "./load.ts"
import type { StorageServices } from "./storages.ts"

/** A process's program: in the sources next to this folder, in a bundle next to this file. */
const program = (name: string) =>
  new URL(import.meta.url.endsWith(".ts") ? `../${name}.ts` : `./${name}.js`, import.meta.url)
const DUCKDB_CHILD = program("duckDbChild")
const REPLICA_CHILD = program("replicaChild")

type Warehouse = Layer.Layer<QueryEngine, StartError, StorageServices>

/** DuckDB on the lake. `lazily`: it is opened by the first query, since collecting works without it. */
const duckDb = (lazily: boolean): Warehouse =>
  Layer.unwrap(
    Effect.gen(function* () {
      const [DuckDbQueryEngine, { icebergLake }] = yield* load(`${WAREHOUSE.env}=duckdb`, () =>
        Promise.all([import("../../layers/duckdb/DuckDbQueryEngine.ts"), import("../../layers/duckdb/icebergLake.ts")])
      )
      return DuckDbQueryEngine.layer(yield* icebergLake, DUCKDB_CHILD, lazily)
    })
  )

const trino: Warehouse = Layer.unwrap(
  Effect.map(
    load(`${WAREHOUSE.env}=trino`, () => import("../../layers/trino/TrinoQueryEngine.ts")),
    (TrinoQueryEngine) => TrinoQueryEngine.layer
  )
)

/** Stands for the engine with `WAREHOUSE=none`. */
const noEngine: Warehouse = Layer.effect(
  QueryEngine,
  Effect.map(Settings, ({ get }) => {
    const failure = new QueryError({ reason: "NoEngine", message: withoutEngine(get) })
    const kind =
      get(STORAGE_BACKEND) === "postgres"
        ? ({ dialect: "postgres", model: "postgres" } as const)
        : ({ dialect: "duckdb", model: "lake" } as const)
    return QueryEngine.of({
      ...kind,
      run: () => Effect.fail(failure),
      stream: () => Stream.fail(failure),
      asOf: Effect.fail(failure)
    })
  })
)

/** The engine that always has the data, by the warehouse's name: the app database stands behind its replica. */
const engineOf = (name: WarehouseName, isDefault: boolean): Warehouse => {
  switch (name) {
    case "replica":
    case "postgres":
      return PgQueryEngine.layer
    case "duckdb":
      return duckDb(isDefault)
    case "trino":
      return trino
    case "none":
      return noEngine
  }
}

/** The name of the warehouse: what `WAREHOUSE` says, if it can query the storage that `STORAGE_BACKEND` names, or that storage's default. */
export const warehouseName: Effect.Effect<WarehouseName, StartError, Settings> = Effect.gen(function* () {
  const { get } = yield* Settings
  const problem = warehouseProblem(get)
  if (problem !== null) return yield* new StartError({ message: problem })
  return get(WAREHOUSE) ?? WAREHOUSES[get(STORAGE_BACKEND)][0]
})

/** The engine that answers without a replica. */
export const warehouse: Warehouse = Layer.unwrap(
  Effect.gen(function* () {
    const { get } = yield* Settings
    return engineOf(yield* warehouseName, get(WAREHOUSE) === null)
  })
)

/** Without the warnings that a starting server would log: a command reports its own errors. */
export const quietly = Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error"))

/** The engine for a command. */
export const quietWarehouse = warehouse.pipe(quietly)

/** For processes without a replica of their own, such as commands. */
const engineForQuestions: Layer.Layer<QuestionEngines, never, QueryEngine> = Layer.effect(
  QuestionEngines,
  Effect.map(QueryEngine, (engine) =>
    QuestionEngines.of({ usable: Effect.succeed({ primary: engine, fallback: null, why: null }) })
  )
)

/** No question can be answered. */
const noEngineForQuestions: Layer.Layer<QuestionEngines, never, Settings> = Layer.effect(
  QuestionEngines,
  Effect.map(Settings, ({ get }) =>
    QuestionEngines.of({ usable: Effect.succeed({ primary: null, fallback: null, why: withoutEngine(get) }) })
  )
)

/** A replica that is further behind than this, in ms, leaves questions to the app database. */
const MAX_LAG_MS = 60_000

/** Why the replica must not answer now; null if it may. */
const unusableBecause = ({ asOf, isUsable, phase, why }: ReplicaStatus, now: number): string | null => {
  if (!isUsable || asOf === null) return `The replica is ${phase}${why === null ? "" : `: ${why}`}.`
  // While Postgres is unreachable, no other engine could answer.
  if (phase !== "waiting" && now - Date.parse(asOf) > MAX_LAG_MS)
    return `The replica is behind: its data is of ${asOf}.`
  return null
}

const replicaForQuestions: Layer.Layer<QuestionEngines, never, QueryEngine | Replica | ReplicaLayer.ReplicaEngine> =
  Layer.effect(
    QuestionEngines,
    Effect.gen(function* () {
      const fallback = yield* QueryEngine
      const replica = yield* Replica
      const engine = yield* ReplicaLayer.ReplicaEngine
      return QuestionEngines.of({
        usable: Effect.gen(function* () {
          const status = yield* replica.status
          const why = status === null ? "There is no replica." : unusableBecause(status, yield* Clock.currentTimeMillis)
          return { primary: why === null ? engine : null, fallback, why }
        })
      })
    })
  )

const NO_REPLICA = new QueryError({
  reason: "Missing",
  message: `This server keeps no replica. Set ${WAREHOUSE.env} to replica, with ${STORAGE_BACKEND.env}=postgres.`
})

/** Stands for the replica of a process that keeps none. */
const noReplica = Layer.succeed(
  Replica,
  Replica.of({
    status: Effect.succeed(null),
    rebuild: Effect.fail(NO_REPLICA),
    check: Effect.fail(NO_REPLICA),
    sync: Effect.fail(NO_REPLICA)
  })
)

/** How questions find their engine, and the replica. */
const enginesOf = (
  name: WarehouseName
): Layer.Layer<QuestionEngines | Replica, StartError, QueryEngine | Settings | DatabaseUrl> => {
  switch (name) {
    case "replica":
      return replicaForQuestions.pipe(Layer.provideMerge(ReplicaLayer.layer(REPLICA_CHILD)))
    case "none":
      return Layer.merge(noEngineForQuestions, noReplica)
    default:
      return Layer.merge(engineForQuestions, noReplica)
  }
}

/** All engines of a server, with its replica if `WAREHOUSE` names one. The replica starts in the background. */
export const questionWarehouse: Layer.Layer<QueryEngine | QuestionEngines | Replica, StartError, StorageServices> =
  Layer.unwrap(Effect.map(warehouseName, (name) => enginesOf(name).pipe(Layer.provideMerge(warehouse))))
