import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import { makeHadoopCatalog } from "../../../../layers/iceberg/catalog/hadoop/HadoopCatalog.ts"
import { makeLocalObjectStore } from "../../../../layers/iceberg/io/LocalObjectStore.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"
import { catalogContract } from "./catalogContract.ts"

const warehouse = pathToFileURL(temporaryFolder()).href

const open = Effect.flatMap(makeLocalObjectStore(warehouse), (store) => makeHadoopCatalog({ store, warehouse }))

catalogContract("hadoop", { open, filesAreOurs: true, refusesEveryStaleTable: true })
