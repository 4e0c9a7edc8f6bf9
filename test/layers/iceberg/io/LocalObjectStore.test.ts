import { expect, test } from "bun:test"
import { chmodSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, Fiber, Latch } from "effect"
import { makeLocalObjectStore } from "../../../../layers/iceberg/io/LocalObjectStore.ts"
import { SmallDisk } from "../../../support/disk/SmallDisk.ts"
import { notTested } from "../../../support/notTested.ts"
import { temporaryFolder } from "../../../support/postgres/postgres.ts"
import { decode, encode, objectStoreContract, reasonOf } from "./objectStoreContract.ts"

const folder = temporaryFolder()
const root = pathToFileURL(folder).href

objectStoreContract("a local folder", {
  open: makeLocalObjectStore(root),
  freshFolder: () => `${root}/${crypto.randomUUID()}/`
})

test("a local file can be addressed by three spellings of its location", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(`file:${folder}/`)
      yield* store.write(`file://${folder}/ways/file`, encode("same"))
      expect(decode(yield* store.read(`file:${folder}/ways/file`))).toBe("same")
      expect(decode(yield* store.read(`${folder}/ways/file`))).toBe("same")
    })
  ))

test.each([
  "file:///etc/passwd",
  "/etc/passwd",
  `${root}/../passwd`,
  `${root}-other/file`,
  `${root}/a/../../passwd`,
  `file://host${folder}/file`,
  "s3://bucket/key",
  "events.parquet",
  `${root}/nul\0byte`
])("the location %p outside of the warehouse is refused", (location) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(root)
      expect(yield* reasonOf(store.read(location))).toBe("Invalid")
      expect(yield* reasonOf(store.write(location, encode("x")))).toBe("Invalid")
      expect(yield* reasonOf(store.remove([location]))).toBe("Invalid")
    })
  )
)

test("a warehouse that is not a local folder is refused", async () => {
  expect(await Effect.runPromise(reasonOf(makeLocalObjectStore("s3://bucket/warehouse")))).toBe("Invalid")
})

test("writing to a full disk fails with Unavailable and leaves no partial file", async () => {
  const disk = SmallDisk.mount(4)
  if (disk === null) return notTested("A full disk under a local lake: only root on Linux may mount a small one.")
  using _ = disk
  disk.fill()
  await Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(disk.path)
      const location = `file://${disk.path}/file`
      const failed = yield* Effect.flip(store.write(location, new Uint8Array(100_000)))
      expect(failed.reason).toBe("Unavailable")
      expect(failed.message).toContain("No space left")
      expect(yield* reasonOf(store.writeNew(location, new Uint8Array(100_000)))).toBe("Unavailable")
      async function* rows() {
        for (let chunk = 0; chunk < 10; chunk++) yield new Uint8Array(100_000)
      }
      expect(yield* reasonOf(store.writeChunks(location, rows()))).toBe("Unavailable")
      expect(readdirSync(disk.path)).toEqual(["filler"])
      disk.free()
      yield* store.write(location, new Uint8Array(100_000))
      expect(readdirSync(disk.path)).toEqual(["file"])
    })
  )
})

test("writing to a folder without permission fails with Denied", async () => {
  if (process.getuid?.() === 0) return notTested("Permissions of a local lake's folder: root ignores them.")
  const closed = join(folder, "closed")
  mkdirSync(closed)
  chmodSync(closed, 0o500)
  await Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(root)
      expect(yield* reasonOf(store.write(`${root}/closed/file`, encode("x")))).toBe("Denied")
    })
  )
})

test("reading a folder, or writing below a file, fails with Invalid", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(root)
      yield* store.write(`${root}/taken/file`, encode("x"))
      expect(yield* reasonOf(store.read(`${root}/taken`))).toBe("Invalid")
      expect(yield* reasonOf(store.write(`${root}/taken/file/below`, encode("x")))).toBe("Invalid")
    })
  ))

test("a reader never sees a partially written file", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(root)
      const location = `${root}/whole/file`
      const size = 2_000_000
      yield* store.write(location, new Uint8Array(size).fill(0))
      const writing = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 20 }, (_, round) => round + 1),
          (round) => store.write(location, new Uint8Array(size).fill(round)),
          { discard: true }
        )
      )
      let reads = 0
      while (writing.pollUnsafe() === undefined) {
        const seen = yield* store.read(location)
        expect(seen.byteLength).toBe(size)
        expect(seen[0]).toBe(seen[size - 1]!)
        reads++
      }
      expect(reads).toBeGreaterThan(0)
    })
  ))

test("an interrupted writer leaves neither the file nor a temporary file", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* makeLocalObjectStore(root)
      const started = yield* Latch.make()
      const go = Promise.withResolvers<void>()
      const gone = Promise.withResolvers<void>()
      async function* rows() {
        try {
          yield new Uint8Array(10)
          Effect.runSync(started.open)
          await go.promise
          yield new Uint8Array(10)
        } finally {
          gone.resolve()
        }
      }
      const writing = yield* Effect.forkChild(store.writeChunks(`${root}/interrupted/file`, rows()))
      yield* started.await
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(writing))
      go.resolve()
      yield* Fiber.join(interrupted)
      yield* Effect.promise(() => gone.promise)
      yield* store.write(`${root}/interrupted/other`, encode("x"))
      expect(readdirSync(join(folder, "interrupted"))).toEqual(["other"])
    })
  ))
