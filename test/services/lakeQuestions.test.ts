import { afterAll, beforeAll, describe, setDefaultTimeout } from "bun:test"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { makeTrinoQueryEngine } from "../../layers/trino/TrinoQueryEngine.ts"
import { dropDatabase, ensureDatabase } from "../../scripts/services/database.ts"
import { endpoint } from "../../scripts/services/place.ts"
import { emptyLake } from "../../scripts/services/seaweedfs.ts"
import { QueryEngine } from "../../src/ports/QueryEngine.ts"
import { lakeSettings } from "../support/lake/LakeUnderTest.ts"
import { openLakeStorage } from "../support/lake/lakeStorage.ts"
import { IS_NIGHTLY } from "../support/nightly.ts"
import { pgWarehouse } from "../support/postgres/pgWarehouse.ts"
import { freshDatabase, temporaryFolder } from "../support/postgres/postgres.ts"
import { testLakeAgreement } from "../support/questions/lakeAgreement.ts"
import { fillWithRandom } from "../support/questions/randomStores.ts"
import { areUp } from "./areUp.ts"
import { lakeCatalog } from "./engines/EngineCatalog.ts"
import { createTrinoCatalog, dropTrinoCatalog } from "./engines/trino.ts"
import { s3Settings } from "./lake/LakeCollector.ts"

setDefaultTimeout(3_600_000)

const up = await areUp("postgres", "seaweedfs", "trino")
const own = `questions_${process.pid}`
const warehouse = `s3://lake/${own}`
const QUESTIONS = IS_NIGHTLY ? 500 : 20
/** Another seed asks other questions of other data. */
const SEED = Number(process.env["FOOTFALL_SEED"] ?? 1)
const DEADLINE_MS = 60_000

const scope = Scope.makeUnsafe()
let postgres: QueryEngine["Service"]
let trino: QueryEngine["Service"]

beforeAll(async () => {
  if (!up) return
  const url = await freshDatabase()
  const environment = {
    ...s3Settings(),
    ...lakeSettings({
      CATALOG_TYPE: "jdbc",
      CATALOG_NAME: own,
      CATALOG_URI: await ensureDatabase(own),
      WAREHOUSE: warehouse
    })
  }
  await fillWithRandom(url, openLakeStorage(url, { folder: temporaryFolder(), environment }), SEED)
  await createTrinoCatalog(own, lakeCatalog({ name: own, database: own, warehouse }))
  postgres = Context.get(await Effect.runPromise(Scope.provide(Layer.build(pgWarehouse(url)), scope)), QueryEngine)
  trino = await Effect.runPromise(
    makeTrinoQueryEngine({
      url: endpoint.trino(),
      user: "test",
      password: null,
      catalog: own,
      schema: "product_analytics",
      deadlineMs: DEADLINE_MS,
      exportDeadlineMs: DEADLINE_MS
    })
  )
})

afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  if (!up) return
  await dropTrinoCatalog(own)
  await dropDatabase(own)
  await emptyLake(`${own}/`)
})

describe.skipIf(!up)("the lake, read by Trino", () => {
  testLakeAgreement({
    engines: () => ({ postgres, lake: trino }),
    questions: QUESTIONS,
    seeds: { random: SEED + 6_000, damaged: SEED + 7_000 },
    most: { refused: 1 / 10, unsupported: 1 / 5 }
  })
})
