import { describe, expect, test } from "bun:test"
import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3"
import { Effect, type Scope, Stream } from "effect"
import { makeHadoopCatalog } from "../../../../layers/iceberg/catalog/hadoop/HadoopCatalog.ts"
import { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import type { ObjectStore } from "../../../../layers/iceberg/io/ObjectStore.ts"
import { makeS3ObjectStore } from "../../../../layers/iceberg/io/S3ObjectStore.ts"
import { BUCKET, CREDENTIALS, REGION } from "../../../../scripts/services/credentials.ts"
import { endpoint, port } from "../../../../scripts/services/place.ts"
import { append, freshName, NEW_TABLE, snapshotIds } from "../../../layers/iceberg/catalog/tables.ts"
import { decode, encode, reasonOf } from "../../../layers/iceberg/io/objectStoreContract.ts"
import { type Fault, FaultProxy } from "../../../support/proxy/FaultProxy.ts"
import { areUp } from "../../areUp.ts"
import { freshWarehouse, lakeS3 } from "./lake.ts"

const PUT = /^PUT /
/** Enough for a store that is busy with other tests, and short enough to wait for. */
const REQUEST_TIMEOUT_MS = 400
const RETRY_FOR_MS = 1_500
const TIMEOUT_MS = 30_000
const MIB = 1 << 20

interface Subject {
  readonly proxy: FaultProxy
  /** Connects through the proxy. */
  readonly store: ObjectStore
  /** Connects directly. */
  readonly truth: ObjectStore
  readonly folder: string
}

const it = (sentence: string, body: (subject: Subject) => Effect.Effect<void, IcebergError, Scope.Scope>): void =>
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
  it("a new file whose response was lost is recognized as ours on the next attempt", ({
    folder,
    proxy,
    store,
    truth
  }) =>
    Effect.gen(function* () {
      for (let round = 0; round < 20; round++) {
        const file = `${folder}v${round}`
        proxy.first(PUT, "loseAnswer")
        expect(yield* store.writeNew(file, encode(`ours ${round}`))).toBe(true)
        expect(decode(yield* truth.read(file))).toBe(`ours ${round}`)
      }
    }))

  it("a file that another writer created before a lost response is not ours", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      yield* truth.write(`${folder}v1`, encode("theirs"))
      proxy.first(PUT, "loseAnswer", 2)
      expect(yield* store.writeNew(`${folder}v1`, encode("ours"))).toBe(false)
      expect(decode(yield* truth.read(`${folder}v1`))).toBe("theirs")
    }))

  const passing: ReadonlyArray<readonly [string, Fault]> = [
    ["503", { status: 503 }],
    ["500 after the write", { status: 500, after: true }],
    [
      "a conflict with another request",
      { status: 409, body: "<Error><Code>ConditionalRequestConflict</Code></Error>" }
    ],
    ["a cut connection", "cut"],
    ["a hanging connection", "hang"]
  ]
  for (const [what, fault] of passing) {
    it(`a new file is written once despite ${what}`, ({ folder, proxy, store, truth }) =>
      Effect.gen(function* () {
        proxy.first(PUT, fault)
        expect(yield* store.writeNew(`${folder}v1`, encode("ours"))).toBe(true)
        proxy.first(PUT, fault)
        expect(yield* store.writeNew(`${folder}v1`, encode("other"))).toBe(false)
        expect(decode(yield* truth.read(`${folder}v1`))).toBe("ours")
      }))
  }

  it("a new file is Unknown if the store fails after the write, and Unavailable if it was unreachable before", (subject) =>
    Effect.gen(function* () {
      const { folder, proxy, store, truth } = subject
      proxy.decide = (piece) => {
        if (!PUT.test(piece)) return "cut"
        return "loseAnswer"
      }
      expect(yield* reasonOf(store.writeNew(`${folder}v1`, encode("ours")))).toBe("Unknown")
      expect(decode(yield* truth.read(`${folder}v1`))).toBe("ours")
      const refused = yield* makeS3ObjectStore(lakeS3({ endpoint: "http://127.0.0.1:1", retryForMs: 500 }))
      const error = yield* Effect.match(refused.writeNew(`${folder}v2`, encode("ours")), {
        onFailure: (failure) => failure,
        onSuccess: () => undefined
      })
      expect(error?.reason).toBe("Unavailable")
      expect(error?.message).toContain("S3 at 127.0.0.1:1 is unreachable")
    }))

  it("reads, writes, listings and removals succeed once a failing store has recovered", ({ folder, proxy, store }) =>
    Effect.gen(function* () {
      for (const fault of [{ status: 503 }, { status: 500 }, "cut", "loseAnswer", "hang"] as const) {
        proxy.first(/^PUT/, fault, 2)
        yield* store.write(`${folder}file`, encode("data"))
        proxy.first(/^GET/, fault, 2)
        expect(decode(yield* store.read(`${folder}file`))).toBe("data")
        proxy.first(/^HEAD/, fault, 2)
        expect((yield* store.head(`${folder}file`)).size).toBe(4)
        proxy.first(/^GET/, fault, 2)
        expect(yield* Stream.runCollect(store.list(folder))).toHaveLength(1)
        proxy.first(/^POST/, fault, 2)
        yield* store.remove([`${folder}file`])
      }
    }))

  it("a read fails with the deadline in its message if the store does not answer", ({ folder, proxy, store }) =>
    Effect.gen(function* () {
      proxy.decide = () => "hang"
      const error = yield* Effect.match(store.read(`${folder}file`), {
        onFailure: (failure) => failure,
        onSuccess: () => undefined
      })
      expect(error?.reason).toBe("Unavailable")
      expect(error?.message).toMatch(
        /^S3 at 127\.0\.0\.1:\d+ did not answer; could not read s3:\/\/lake\/.*no answer within 0\.4 s/
      )
    }))

  it("a read fails with Unavailable if the bytes of an object stop arriving", () =>
    Effect.gen(function* () {
      const body = () => new ReadableStream({ start: (stream) => stream.enqueue(encode("the beginning")) })
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

  it("a multipart upload survives a failed part and a lost response to its completion", ({
    folder,
    proxy,
    store,
    truth
  }) =>
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

  it("a multipart upload that cannot be completed leaves nothing", ({ folder, proxy, store, truth }) =>
    Effect.gen(function* () {
      proxy.decide = (piece) => (/^PUT .*partNumber=2/.test(piece) ? { status: 503 } : undefined)
      expect(yield* reasonOf(store.writeChunks(`${folder}large`, chunks(5)))).toBe("Unavailable")
      expect(yield* Stream.runCollect(truth.list(folder))).toEqual([])
      expect(yield* uploadsIn(folder)).toBe(0)
      async function* broken() {
        yield* chunks(3)
        throw IcebergError.invalid("no more rows")
      }
      proxy.decide = () => undefined
      expect(yield* reasonOf(store.writeChunks(`${folder}large`, broken()))).toBe("Invalid")
      expect(yield* uploadsIn(folder)).toBe(0)
    }))

  it("commits to a Hadoop catalog whose first responses are lost do not conflict and lose nothing", ({
    folder,
    proxy,
    store,
    truth
  }) =>
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
