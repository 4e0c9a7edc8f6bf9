import { describe } from "bun:test"
import { Effect } from "effect"
import { makeJdbcCatalog } from "../../../../layers/iceberg/catalog/jdbc/JdbcCatalog.ts"
import { makeS3ObjectStore } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { jdbcClient } from "../../../../layers/lake/jdbcClient.ts"
import { catalogContract } from "../../../layers/iceberg/catalog/catalogContract.ts"
import { emptyDatabase, openClient } from "../../../support/postgres/postgres.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3 } from "./lake.ts"

const warehouse = freshWarehouse()
let database: ReturnType<typeof emptyDatabase> | undefined
const open = Effect.gen(function* () {
  database ??= emptyDatabase()
  const sql = yield* openClient(yield* Effect.promise(() => database!), 2)
  return yield* makeJdbcCatalog({
    client: jdbcClient(sql),
    name: "lake",
    warehouse,
    store: yield* makeS3ObjectStore(lakeS3())
  })
})

describe.skipIf(!(await areUp("seaweedfs")))("on S3", () => {
  catalogContract("jdbc", { open, filesAreOurs: true, refusesEveryStaleTable: true })
})
