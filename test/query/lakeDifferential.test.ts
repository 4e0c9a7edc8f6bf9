import { afterAll, beforeAll, describe, setDefaultTimeout } from "bun:test"
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import { AppDatabase, DatabaseUrl } from "../../layers/postgres/client/Database.ts"
import { warehouse } from "../../src/app/warehouses.ts"
import { QueryEngine } from "../../src/ports/QueryEngine.ts"
import { fetchedDuckdbExtensions } from "../support/lake/duckdbExtensions.ts"
import { folderLake, openLakeStorage } from "../support/lake/lakeStorage.ts"
import * as MemorySettings from "../support/memory/MemorySettings.ts"
import { IS_NIGHTLY } from "../support/nightly.ts"
import { pgWarehouse } from "../support/postgres/pgWarehouse.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { testLakeAgreement } from "../support/questions/lakeAgreement.ts"
import { fillWithRandom } from "../support/questions/randomStores.ts"

setDefaultTimeout(3_600_000)

const QUESTIONS = IS_NIGHTLY ? 2_000 : 100
/** Another seed asks other questions of other data. */
const SEED = Number(process.env["FOOTFALL_SEED"] ?? 1)

const extensions = await fetchedDuckdbExtensions()

const scope = Scope.makeUnsafe()
let postgres: QueryEngine["Service"]
let lake: QueryEngine["Service"]

beforeAll(async () => {
  if (extensions === null) return
  const url = await freshDatabase()
  const folder = temporaryFolder()
  await fillWithRandom(url, openLakeStorage(url, { folder }), SEED)
  const engineOf = async (layer: Layer.Layer<QueryEngine, unknown>) =>
    Context.get(await Effect.runPromise(Scope.provide(Layer.build(layer), scope)), QueryEngine)
  postgres = await engineOf(pgWarehouse(url))
  const settings = { STORAGE_BACKEND: "iceberg", DUCKDB_EXTENSION_DIRECTORY: extensions, ...folderLake(folder) }
  lake = await engineOf(
    warehouse.pipe(
      Layer.provide(AppDatabase.layer),
      Layer.provide(MemorySettings.layer(settings)),
      Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })),
      Layer.provide(Layer.succeed(References.MinimumLogLevel, "Error")),
      Layer.fresh
    )
  )
})

afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe.skipIf(extensions === null)("the lake, read by DuckDB", () => {
  testLakeAgreement({
    engines: () => ({ postgres, lake }),
    questions: QUESTIONS,
    seeds: { random: SEED + 5_000, damaged: SEED + 7_000 },
    most: { refused: 1 / 20, unsupported: 1 / 10 }
  })
})
