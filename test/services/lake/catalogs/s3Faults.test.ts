import { describe, expect, test } from "bun:test"
import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3"
import { Effect, type Scope, Stream } from "effect"
import { makeHadoopCatalog } from "../../../../layers/iceberg/catalog/hadoop/HadoopCatalog.ts"
import { type IcebergError, icebergError } from "../../../../layers/iceberg/IcebergError.ts"
import type { ObjectStore } from "../../../../layers/iceberg/io/ObjectStore.ts"
import { makeS3ObjectStore } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { BUCKET, CREDENTIALS, REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint, port } from "../../../../scripts/services/place.ts"
import { append, freshName, NEW_TABLE, snapshotIds } from "../../../layers/iceberg/catalog/tables.ts"
import { bytes, reasonOf, text } from "../../../layers/iceberg/io/objectStoreContract.ts"
import { type Fault, FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3 } from "./lake.ts"

const PUT = /^PUT /
/** Enough for a store that is busy with other tests, and short enough to wait for. */
const REQUEST_TIMEOUT_MS = 400
const RETRY_FOR_MS = 1_500
const TIMEOUT_MS = 30_000
const MIB = 1 << 20

interface Bench {
  readonly proxy: FaultProxy
  /** Behind the proxy. */
  readonly store: ObjectStore
  /** Beside it. */
  readonly truth: ObjectStore
  readonly folder: string
}

const it = (sentence: string, body: (bench: Bench) => Effect.Effect<void, IcebergError, Scope.Scope>): void =>
  test(
    sentence,
    () =>
      Effect.gen(function* () {
        using proxy = yield* Effect.promise(() => FaultProxy.before(port("s3")))
        const faults = { endpoint: proxy.url, requestTimeoutMs: REQUEST_TIMEOUT_MS, retryForMs: RETRY_FOR_MS }
        const store = yield* makeS3ObjectStore(lakeS3(faults))
        const truth = yield* makeS3ObjectStore(lakeS3())
        yield* body({ proxy, store, truth, folder: `${freshWarehouse()}/` })
      }).pipe(Effect.scoped, Effect.runPromise),
    TIMEOUT_MS
  )

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield new Uint8Array(5 * MIB).fill(index)
}

describe.skipIf(!(await areUp("seaweedfs")))("S3 with faults", () => {
  it("a new file whose answer was lost is ours when it is tried again", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      for (let round = 0; round < 20; round++) {
        const file = `${folder}v${round}`
        proxy.first(PUT, "loseAnswer")
        expect(yield* store.writeNew(file, bytes(`ours ${round}`))).toBe(true)
        expect(text(yield* truth.read(file))).toBe(`ours ${round}`)
      }
    }))

  it("a new file that somebody else wrote before a lost answer is not ours", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      yield* truth.write(`${folder}v1`, bytes("theirs"))
      proxy.first(PUT, "loseAnswer", 2)
      expect(yield* store.writeNew(`${folder}v1`, bytes("ours"))).toBe(false)
      expect(text(yield* truth.read(`${folder}v1`))).toBe("theirs")
    }))

  const passing: ReadonlyArray<readonly [string, Fault]> = [
    ["503", { status: 503 }],
    ["500 after the write", { status: 500, after: true }],
    [
      "a conflict with another request",
      { status: 409, body: "<Error><Code>ConditionalRequestConflict</Code></Error>" }
    ],
    ["a cut connection", "cut"],
    ["silence", "hang"]
  ]
  for (const [what, fault] of passing) {
    it(`after ${what} a new file is written all the same, once`, ({ folder, proxy, store, truth }) =>
      Effect.gen(function* () {
        proxy.first(PUT, fault)
        expect(yield* store.writeNew(`${folder}v1`, bytes("ours"))).toBe(true)
        proxy.first(PUT, fault)
        expect(yield* store.writeNew(`${folder}v1`, bytes("other"))).toBe(false)
        expect(text(yield* truth.read(`${folder}v1`))).toBe("ours")
      }))
  }

  it("a new file is unknown when the store is gone after the write, and unavailable when it was gone before", (bench) =>
    Effect.gen(function* () {
      const { folder, proxy, store, truth } = bench
      proxy.decide = (piece) => {
        if (!PUT.test(piece)) return "cut"
        return "loseAnswer"
      }
      expect(yield* reasonOf(store.writeNew(`${folder}v1`, bytes("ours")))).toBe("Unknown")
      expect(text(yield* truth.read(`${folder}v1`))).toBe("ours")
      const refused = yield* makeS3ObjectStore(lakeS3({ endpoint: "http://127.0.0.1:1", retryForMs: 500 }))
      const error = yield* Effect.match(refused.writeNew(`${folder}v2`, bytes("ours")), {
        onFailure: (failure) => failure,
        onSuccess: () => undefined
      })
      expect(error?.reason).toBe("Unavailable")
      expect(error?.message).toContain("S3 at 127.0.0.1:1 can't be reached")
    }))

  it("reads, writes and lists outlast a store that fails for a while", ({ folder, proxy, store }) =>
    Effect.gen(function* () {
      for (const fault of [{ status: 503 }, { status: 500 }, "cut", "loseAnswer", "hang"] as const) {
        proxy.first(/^PUT/, fault, 2)
        yield* store.write(`${folder}file`, bytes("held"))
        proxy.first(/^GET/, fault, 2)
        expect(text(yield* store.read(`${folder}file`))).toBe("held")
        proxy.first(/^HEAD/, fault, 2)
        expect((yield* store.head(`${folder}file`)).size).toBe(4)
        proxy.first(/^GET/, fault, 2)
        expect(yield* Stream.runCollect(store.list(folder))).toHaveLength(1)
        proxy.first(/^POST/, fault, 2)
        yield* store.remove([`${folder}file`])
      }
    }))

  it("a store that stays silent ends in a failure that says so", ({ folder, proxy, store }) =>
    Effect.gen(function* () {
      proxy.decide = () => "hang"
      const error = yield* Effect.match(store.read(`${folder}file`), {
        onFailure: (failure) => failure,
        onSuccess: () => undefined
      })
      expect(error?.reason).toBe("Unavailable")
      expect(error?.message).toMatch(
        /^S3 at 127\.0\.0\.1:\d+ did not answer, to read s3:\/\/lake\/.*no answer within 0\.4 s/
      )
    }))

  it("an object whose bytes stop coming ends in a failure that says so", () =>
    Effect.gen(function* () {
      const body = () => new ReadableStream({ start: (stream) => stream.enqueue(bytes("the beginning")) })
      const stalling = yield* Effect.acquireRelease(
        Effect.sync(() => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(body()) })),
        (server) => Effect.promise(() => server.stop(true))
      )
      const store = yield* makeS3ObjectStore(
        lakeS3({ endpoint: `http://127.0.0.1:${stalling.port}`, requestTimeoutMs: REQUEST_TIMEOUT_MS, retryForMs: 100 })
      )
      expect(yield* reasonOf(store.read("s3://lake/file"))).toBe("Unavailable")
    }))

  const client = new S3Client({
    endpoint: endpoint.s3(),
    region: REGION,
    forcePathStyle: true,
    credentials: CREDENTIALS.s3
  })
  const uploadsIn = (folder: string) =>
    Effect.promise(async () => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
      return Uploads.filter(({ Key = "" }) => `s3://${BUCKET}/${Key}`.startsWith(folder)).length
    })

  it("a large file outlasts failures of its parts and a lost last answer", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      let parts = 0
      let completions = 0
      proxy.decide = (piece) => {
        if (/^PUT .*partNumber=2/.test(piece)) return parts++ === 0 ? { status: 503 } : undefined
        if (/^POST .*uploadId=/.test(piece)) return completions++ === 0 ? "loseAnswer" : undefined
        return undefined
      }
      expect(yield* store.writeChunks(`${folder}large`, chunks(5))).toBe(25 * MIB)
      expect([parts, completions]).toEqual([2, 2])
      expect((yield* truth.head(`${folder}large`)).size).toBe(25 * MIB)
      expect([...(yield* truth.readRange(`${folder}large`, 5 * MIB - 1, 2))]).toEqual([0, 1])
      expect(yield* uploadsIn(folder)).toBe(0)
    }))

  it("of a large file that can't be finished nothing is left", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      proxy.decide = (piece) => (/^PUT .*partNumber=2/.test(piece) ? { status: 503 } : undefined)
      expect(yield* reasonOf(store.writeChunks(`${folder}large`, chunks(5)))).toBe("Unavailable")
      expect(yield* Stream.runCollect(truth.list(folder))).toEqual([])
      expect(yield* uploadsIn(folder)).toBe(0)
      async function* broken() {
        yield* chunks(3)
        throw icebergError("Invalid", "no more rows")
      }
      proxy.decide = () => undefined
      expect(yield* reasonOf(store.writeChunks(`${folder}large`, broken()))).toBe("Invalid")
      expect(yield* uploadsIn(folder)).toBe(0)
    }))

  it("commits whose first answers are all lost are no conflicts and lose nothing", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      const warehouse = folder.slice(0, -1)
      const name = freshName()
      const catalog = yield* makeHadoopCatalog({ store, warehouse })
      let table = yield* catalog.create(name, NEW_TABLE)
      for (let round = 0; round < 20; round++) {
        proxy.first(/^PUT .*metadata\.json/, "loseAnswer")
        table = yield* catalog.commit(table, append(table))
      }
      const loaded = yield* (yield* makeHadoopCatalog({ store: truth, warehouse })).load(name)
      expect(snapshotIds(loaded)).toEqual(snapshotIds(table))
      expect(snapshotIds(loaded)).toHaveLength(20)
    }))
})
