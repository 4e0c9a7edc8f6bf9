import { describe, expect, test } from "bun:test"
import { Effect, type Scope, Stream } from "effect"
import type { Catalog, Table, TableName } from "../../../../layers/iceberg/catalog/Catalog.ts"
import { makeCatalog } from "../../../../layers/iceberg/catalog/makeCatalog.ts"
import type { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import { REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint } from "../../../../scripts/services/place.ts"
import { append, freshName, NEW_TABLE, snapshotIds, snapshotOn } from "../../../layers/iceberg/catalog/tables.ts"
import { type Fault, FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3, MOTO_KEYS } from "./lake.ts"
import { StrictGlue } from "./StrictGlue.ts"

const UPDATE = /AWSGlue\.UpdateTable/
const TIMEOUT_MS = 60_000

const refusal = (type: string, after = false): Fault => ({
  status: 400,
  body: JSON.stringify({ __type: type, Message: "Glue's message" }),
  after
})

interface Bench {
  readonly proxy: FaultProxy
  /** Connects through the proxy. */
  readonly catalog: Catalog
  /** Connects directly. */
  readonly truth: Catalog
  readonly name: TableName
  readonly table: Table
}

const warehouse = freshWarehouse()
const openAt = (url: string) =>
  makeCatalog({ type: "glue", warehouse, region: REGION, endpoint: url, credentials: MOTO_KEYS, s3: lakeS3() })

const it = (sentence: string, body: (bench: Bench) => Effect.Effect<void, IcebergError, Scope.Scope>): void =>
  test(
    sentence,
    async () => {
      await using strict = new StrictGlue(endpoint.moto())
      using proxy = await FaultProxy.before(Number(new URL(strict.url).port))
      await Effect.gen(function* () {
        const truth = yield* openAt(strict.url)
        const catalog = yield* openAt(proxy.url)
        const name = freshName()
        yield* truth.create(name, NEW_TABLE)
        yield* body({ proxy, catalog, truth, name, table: yield* catalog.load(name) })
      }).pipe(Effect.scoped, Effect.runPromise)
    },
    TIMEOUT_MS
  )

const metadataFiles = (table: Table) =>
  Effect.map(Stream.runCollect(table.store.list(`${table.metadata.location}/metadata/`)), (found) => found.length)

const failureOf = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<IcebergError | undefined> =>
  Effect.match(effect, { onFailure: (error) => error, onSuccess: () => undefined })

describe.skipIf(!(await areUp("seaweedfs", "moto")))("Glue with faults", () => {
  const passing: ReadonlyArray<readonly [string, Fault]> = [
    ["a lost response", "loseAnswer"],
    ["a cut connection", "cut"],
    ["a 500 instead of the update", { status: 500 }],
    ["a 500 after the update", { status: 500, after: true }],
    ["a conflict with a repetition of our own update", refusal("ConcurrentModificationException", true)]
  ]
  for (const [what, fault] of passing) {
    it(`${what} does not fail a commit to Glue, and nothing is committed twice`, ({
      catalog,
      name,
      proxy,
      table,
      truth
    }) =>
      Effect.gen(function* () {
        let current = table
        for (let round = 0; round < 5; round++) {
          proxy.first(UPDATE, fault)
          current = yield* catalog.commit(current, append(current))
        }
        const loaded = yield* truth.load(name)
        expect(snapshotIds(loaded)).toEqual(snapshotIds(current))
        expect(snapshotIds(loaded)).toHaveLength(5)
        expect(yield* metadataFiles(loaded)).toBe(6)
      }))
  }

  it("an update that was lost before another one succeeded is a conflict, and its file is kept", ({
    catalog,
    name,
    proxy,
    table,
    truth
  }) =>
    Effect.gen(function* () {
      let others = 0
      proxy.decide = (piece) => {
        if (!UPDATE.test(piece) || others > 0) return undefined
        others++
        Effect.runFork(truth.commit(table, append(table)))
        return "hang"
      }
      expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe("Conflict")
      const loaded = yield* truth.load(name)
      expect(snapshotIds(loaded)).toHaveLength(1)
      expect(yield* metadataFiles(loaded)).toBe(3)
    }))

  it("if Glue fails after the update, the outcome is unknown, nothing is deleted, and the commit was applied", ({
    catalog,
    name,
    proxy,
    table,
    truth
  }) =>
    Effect.gen(function* () {
      const snapshot = snapshotOn(table)
      let gone = false
      proxy.decide = (piece) => {
        if (gone) return "cut"
        gone = UPDATE.test(piece)
        return gone ? "loseAnswer" : undefined
      }
      expect((yield* failureOf(catalog.commit(table, append(table, snapshot))))?.reason).toBe("Unknown")
      const loaded = yield* truth.load(name)
      expect(snapshotIds(loaded)).toEqual([snapshot["snapshot-id"]])
      expect(yield* metadataFiles(loaded)).toBe(2)
    }))

  const definite: ReadonlyArray<readonly [string, IcebergError["reason"]]> = [
    ["AccessDeniedException", "Denied"],
    ["ThrottlingException", "Unavailable"],
    ["InvalidInputException", "Invalid"]
  ]
  for (const [type, reason] of definite) {
    it(`an update that Glue refuses with ${type} was not applied, and its file is removed`, ({
      catalog,
      name,
      proxy,
      table,
      truth
    }) =>
      Effect.gen(function* () {
        proxy.first(UPDATE, refusal(type))
        expect((yield* failureOf(catalog.commit(table, append(table))))?.reason).toBe(reason)
        const loaded = yield* truth.load(name)
        expect(loaded.metadataLocation).toBe(table.metadataLocation)
        expect(yield* metadataFiles(loaded)).toBe(1)
      }))
  }

  it("a load succeeds once a failing or throttling Glue has recovered", ({ catalog, name, proxy }) =>
    Effect.gen(function* () {
      for (const fault of [{ status: 503 }, refusal("ThrottlingException"), "cut"] as const) {
        proxy.first(/AWSGlue\.GetTable/, fault, 2)
        yield* catalog.load(name)
      }
    }))
})
