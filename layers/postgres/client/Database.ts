import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import type { StartError } from "../../../src/domain/StartError.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { fromEnvironment } from "../../../src/settings/environment.ts"
import {
  DATA_DIR,
  DATABASE_POOL_SIZE,
  DATABASE_URL,
  STORAGE_IN_FLIGHT,
  STORAGE_TIMEOUT_SECONDS
} from "../../../src/settings/settings.ts"
import { hasCluster } from "../embedded/cluster.ts"
import {
  type EmbeddedPostgres,
  joinEmbeddedPostgres,
  startEmbeddedPostgres,
  startExistingPostgres
} from "../embedded/EmbeddedPostgres.ts"
import type { DatabaseClient } from "./makeClient.ts"
import { migrate } from "./migrate.ts"
import { type DatabaseAddress, openPool, targetOf } from "./openPool.ts"

type Embedded = (dataDir: string) => Effect.Effect<EmbeddedPostgres, StartError, Scope.Scope>

const addressFrom = Effect.fnUntraced(function* (
  embedded: Embedded
): Effect.fn.Return<DatabaseAddress, StartError, Scope.Scope> {
  const configured = yield* fromEnvironment(DATABASE_URL)
  if (configured !== null) {
    const address = { url: Redacted.make(configured), embedded: false }
    yield* targetOf(address)
    return address
  }
  const folder = yield* fromEnvironment(DATA_DIR)
  const { url } = yield* embedded(folder)
  return { url, embedded: true, folder }
})

/** `DATABASE_URL`, else the embedded Postgres of `DATA_DIR`, which runs while the scope of this or another process is open. */
export class DatabaseUrl extends Context.Service<DatabaseUrl, DatabaseAddress>()("footfall/postgres/DatabaseUrl") {
  /** Starts the embedded Postgres unless it runs, and creates it if needed. */
  static readonly layer: Layer.Layer<DatabaseUrl, StartError> = Layer.effect(
    DatabaseUrl,
    addressFrom(startEmbeddedPostgres)
  )
  /** The same, but `mayCreate` can refuse to create one in a folder. */
  static readonly layerIf = (
    mayCreate: (dataDir: string) => Effect.Effect<void, StartError>
  ): Layer.Layer<DatabaseUrl, StartError> =>
    Layer.effect(
      DatabaseUrl,
      addressFrom((dataDir) =>
        Effect.andThen(hasCluster(dataDir) ? Effect.void : mayCreate(dataDir), startEmbeddedPostgres(dataDir))
      )
    )
  /** Starts the embedded Postgres unless it runs, but never creates one. */
  static readonly layerExisting: Layer.Layer<DatabaseUrl, StartError> = Layer.effect(
    DatabaseUrl,
    addressFrom(startExistingPostgres)
  )
  /** Only joins an embedded Postgres that runs. A collector with a database of its own would know no site, and reject every event. */
  static readonly layerJoining: Layer.Layer<DatabaseUrl, StartError> = Layer.effect(
    DatabaseUrl,
    addressFrom(joinEmbeddedPostgres)
  )
}

/**
 * The pool for everything but writing events: settings, sites, keys, jobs. Up to `DATABASE_POOL_SIZE` connections to a migrated
 * database.
 */
export class AppDatabase extends Context.Service<AppDatabase, DatabaseClient>()("footfall/postgres/AppDatabase") {
  static readonly layer: Layer.Layer<AppDatabase, StartError, DatabaseUrl> = Layer.effect(
    AppDatabase,
    Effect.gen(function* () {
      const sql = yield* openPool(
        yield* DatabaseUrl,
        {},
        { maxConnections: yield* fromEnvironment(DATABASE_POOL_SIZE) }
      )
      yield* migrate(sql)
      return sql
    })
  )
}

/**
 * The event writer's own pool: `STORAGE_IN_FLIGHT` connections and one for pings, always open so that nothing else can take them.
 * A commit is on the server's disk before it is acknowledged, whatever the server's default. The server cancels a
 * statement at the write deadline, so an abandoned statement holds no locks.
 */
export class WriterDatabase extends Context.Service<WriterDatabase, DatabaseClient>()(
  "footfall/postgres/WriterDatabase"
) {
  static readonly layer: Layer.Layer<WriterDatabase, StartError, DatabaseUrl | AppDatabase | Settings> = Layer.effect(
    WriterDatabase,
    Effect.gen(function* () {
      // Its layer migrates the database.
      yield* AppDatabase
      const { get } = yield* Settings
      const session = {
        statement_timeout: `${get(STORAGE_TIMEOUT_SECONDS)}s`,
        synchronous_commit: "on",
        jit: "off"
      }
      const connections = get(STORAGE_IN_FLIGHT) + 1
      return yield* openPool(yield* DatabaseUrl, session, {
        maxConnections: connections,
        minConnections: connections
      })
    })
  )
}
