import { describe, expect } from "bun:test"
import { Effect } from "effect"
import { makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import {
  commitFaultContract,
  failureOf,
  faultTest,
  metadataFiles
} from "../../../layers/iceberg/catalog/commitFaultContract.ts"
import { append } from "../../../layers/iceberg/catalog/tables.ts"
import { type Fault, FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3, MOTO_KEYS } from "./lake.ts"
import { StrictGlue } from "./StrictGlue.ts"

const UPDATE = /AWSGlue\.UpdateTable/

const refusal = (type: string, after = false): Fault => ({
  status: 400,
  body: JSON.stringify({ __type: type, Message: "Glue's message" }),
  after
})

const warehouse = freshWarehouse()
const openAt = (url: string) =>
  makeCatalog({ type: "glue", warehouse, region: REGION, endpoint: url, credentials: MOTO_KEYS, s3: lakeS3() })

const open = Effect.gen(function* () {
  const strict = yield* Effect.acquireRelease(
    Effect.sync(() => new StrictGlue(endpoint.moto())),
    (started) => Effect.promise(() => started[Symbol.asyncDispose]())
  )
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => FaultProxy.before(Number(new URL(strict.url).port))),
    (started) => Effect.sync(() => started[Symbol.dispose]())
  )
  return { proxy, truth: yield* openAt(strict.url), catalog: yield* openAt(proxy.url) }
})

describe.skipIf(!(await areUp("seaweedfs", "moto")))("Glue with faults", () => {
  commitFaultContract("glue", {
    open,
    create: /AWSGlue\.CreateTable/,
    swap: UPDATE,
    faults: [
      ["a lost response to the update", "loseAnswer"],
      ["a cut connection", "cut"],
      ["a 500 instead of the update", { status: 500 }],
      ["a 500 after the update", { status: 500, after: true }],
      ["a conflict with a repetition of our own update", refusal("ConcurrentModificationException", true)]
    ],
    rounds: 5,
    lost: "hang"
  })

  const refusals: ReadonlyArray<readonly [string, IcebergError["reason"]]> = [
    ["AccessDeniedException", "Denied"],
    ["ThrottlingException", "Unavailable"],
    ["InvalidInputException", "Invalid"]
  ]
  for (const [type, reason] of refusals) {
    faultTest(open)(`an update that Glue refuses with ${type} was not applied, and its file is removed`, (subject) =>
      Effect.gen(function* () {
        const { catalog, name, proxy, table, truth } = subject
        proxy.first(UPDATE, refusal(type))
        expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe(reason)
        const loaded = yield* truth.load(name)
        expect(loaded.metadataLocation).toBe(table.metadataLocation)
        expect(yield* metadataFiles(loaded)).toHaveLength(1)
      })
    )
  }

  faultTest(open)("a load succeeds once a failing or throttling Glue has recovered", ({ catalog, name, proxy }) =>
    Effect.gen(function* () {
      for (const fault of [{ status: 503 }, refusal("ThrottlingException"), "cut"] as const) {
        proxy.first(/AWSGlue\.GetTable/, fault, 2)
        yield* catalog.load(name)
      }
    })
  )
})
