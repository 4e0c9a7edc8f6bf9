import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import { CREDENTIALS, REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import { FakeRestCatalog } from "../../../layers/iceberg/catalog/FakeRestCatalog.ts"
import { freshName, NEW_TABLE } from "../../../layers/iceberg/catalog/tables.ts"
import { decode, encode } from "../../../layers/iceberg/io/objectStoreContract.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3 } from "./lake.ts"

const MINUTE_MS = 60_000
const LOAD = /\/tables\/events$/

const vendedAccess = (secretAccessKey: string, lifetimeMs: number) => ({
  config: { "s3.endpoint": endpoint.s3(), "s3.path-style-access": "true", "client.region": REGION },
  "storage-credentials": [
    {
      prefix: "s3://",
      config: {
        "s3.access-key-id": CREDENTIALS.s3.accessKeyId,
        "s3.secret-access-key": secretAccessKey,
        "s3.session-token-expires-at-ms": String(Date.now() + lifetimeMs)
      }
    }
  ]
})

describe.skipIf(!(await areUp("seaweedfs")))("credentials that the catalog vends", () => {
  test("vended credentials are requested and used for the table's files", async () => {
    await using server = new FakeRestCatalog({
      warehouse: freshWarehouse(),
      access: () => vendedAccess(CREDENTIALS.s3.secretAccessKey, 60 * MINUTE_MS)
    })
    await Effect.gen(function* () {
      const catalog = yield* makeCatalog({ type: "rest", uri: server.url })
      const { metadata, store } = yield* catalog.create(freshName(), NEW_TABLE)
      yield* store.write(`${metadata.location}/data/file`, encode("data"))
      expect(decode(yield* store.read(`${metadata.location}/data/file`))).toBe("data")
    }).pipe(Effect.scoped, Effect.runPromise)
    const requests = server.of("GET", LOAD).concat(server.of("POST", /\/tables$/))
    expect(requests.every(({ headers }) => headers.get("x-iceberg-access-delegation") === "vended-credentials")).toBe(
      true
    )
  })

  test("a loaded table's store renews expired vended credentials once for all its requests", async () => {
    // The first credentials are invalid and have already expired.
    let lifetimeMs = -1
    let secret = "sk-old"
    await using server = new FakeRestCatalog({
      warehouse: freshWarehouse(),
      access: () => vendedAccess(secret, lifetimeMs)
    })
    await Effect.gen(function* () {
      const catalog = yield* makeCatalog({ type: "rest", uri: server.url })
      const { metadata, store } = yield* catalog.create(freshName(), NEW_TABLE)
      const loads = server.of("GET", LOAD).length
      lifetimeMs = 60 * MINUTE_MS
      secret = CREDENTIALS.s3.secretAccessKey
      const files = Array.from({ length: 10 }, (_, index) => `${metadata.location}/data/${index}`)
      yield* Effect.forEach(files, (file) => store.write(file, encode("data")), { concurrency: "unbounded" })
      expect(server.of("GET", LOAD).length).toBe(loads + 1)
    }).pipe(Effect.scoped, Effect.runPromise)
  })

  test("vended credentials are not requested if keys are configured", async () => {
    await using server = new FakeRestCatalog({ warehouse: freshWarehouse() })
    await Effect.gen(function* () {
      const catalog = yield* makeCatalog({ type: "rest", uri: server.url, s3: lakeS3() })
      const { metadata, store } = yield* catalog.create(freshName(), NEW_TABLE)
      yield* store.write(`${metadata.location}/data/file`, encode("data"))
    }).pipe(Effect.scoped, Effect.runPromise)
    expect(server.requests.some(({ headers }) => headers.has("x-iceberg-access-delegation"))).toBe(false)
  })
})
