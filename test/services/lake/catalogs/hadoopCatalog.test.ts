import { describe } from "bun:test"
import { Effect } from "effect"
import { makeHadoopCatalog } from "../../../../layers/iceberg/catalog/hadoop/HadoopCatalog.ts"
import { makeS3ObjectStore } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { catalogContract } from "../../../layers/iceberg/catalog/catalogContract.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3 } from "./lake.ts"

const warehouse = freshWarehouse()
const open = Effect.flatMap(makeS3ObjectStore(lakeS3()), (store) => makeHadoopCatalog({ store, warehouse }))
/** The gateway makes the losers of a race for one key wait in steps of a second. */
const TIMEOUT_MS = 240_000

describe.skipIf(!(await areUp("seaweedfs")))("on S3", () => {
  catalogContract("hadoop", { open, filesAreOurs: true, refusesEveryStaleTable: true, timeoutMs: TIMEOUT_MS })
})
