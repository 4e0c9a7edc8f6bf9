import { expect, test } from "bun:test"
import { Effect, type Scope, Stream } from "effect"
import { IcebergError } from "../../../../layers/iceberg/IcebergError.ts"
import type { ObjectStore } from "../../../../layers/iceberg/io/ObjectStore.ts"

export interface StoreUnderTest {
  readonly open: Effect.Effect<ObjectStore, IcebergError, Scope.Scope>
  /** The location of a new folder, with a trailing slash. */
  readonly freshFolder: () => string
}

/** Stores make the losers of a race wait in steps of a second. */
const TIMEOUT_MS = 60_000
const MIB = 1 << 20

export const encode = (content: string): Uint8Array => new TextEncoder().encode(content)
export const decode = (content: Uint8Array): string => new TextDecoder().decode(content)

export const reasonOf = <A>(effect: Effect.Effect<A, IcebergError>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: (error) => error.reason, onSuccess: () => "no failure" })

/** `count` chunks of `size` bytes, each filled with its number. */
async function* chunks(count: number, size: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) yield new Uint8Array(size).fill(index)
}

async function* failing(count: number, size: number): AsyncGenerator<Uint8Array> {
  yield* chunks(count, size)
  throw IcebergError.invalid("no more rows")
}

/** The behavior that every object store must have. */
export const objectStoreContract = (what: string, { freshFolder, open }: StoreUnderTest): void => {
  const it = (
    sentence: string,
    body: (store: ObjectStore, folder: string) => Effect.Effect<void, IcebergError, Scope.Scope>
  ): void =>
    test(
      `${what}: ${sentence}`,
      () => Effect.runPromise(Effect.scoped(Effect.flatMap(open, (store) => body(store, freshFolder())))),
      TIMEOUT_MS
    )
  const listed = (store: ObjectStore, folder: string) =>
    Effect.map(Stream.runCollect(store.list(folder)), (found) =>
      found.map(({ location, size }) => `${location.slice(folder.length)} ${size}`).toSorted()
    )

  it("a written file is read back as a whole and in ranges", (store, folder) =>
    Effect.gen(function* () {
      const file = `${folder}metadata/ein Schlüssel=a%2Fb.json`
      yield* store.write(file, encode("0123456789"))
      expect(decode(yield* store.read(file))).toBe("0123456789")
      expect(decode(yield* store.readRange(file, 2, 3))).toBe("234")
      expect(decode(yield* store.readRange(file, 8, 100))).toBe("89")
      expect(decode(yield* store.readRange(file, 10, 4))).toBe("")
      yield* store.write(file, encode("shorter"))
      expect(decode(yield* store.read(file))).toBe("shorter")
      yield* store.write(file, new Uint8Array())
      expect((yield* store.read(file)).byteLength).toBe(0)
    }))

  it("head returns a file's size and time", (store, folder) =>
    Effect.gen(function* () {
      const before = Date.now()
      yield* store.write(`${folder}a`, new Uint8Array(1234))
      const found = yield* store.head(`${folder}a`)
      expect(found).toMatchObject({ location: `${folder}a`, size: 1234 })
      // Stores report whole seconds, by their own clock.
      expect(Math.abs(found.modifiedAt - before)).toBeLessThan(30_000)
    }))

  it("reading a missing file fails with NotFound, and removing it succeeds", (store, folder) =>
    Effect.gen(function* () {
      expect(yield* reasonOf(store.read(`${folder}none`))).toBe("NotFound")
      expect(yield* reasonOf(store.readRange(`${folder}none`, 0, 1))).toBe("NotFound")
      expect(yield* reasonOf(store.head(`${folder}none`))).toBe("NotFound")
      yield* store.remove([`${folder}none`, `${folder}deeper/none`])
      expect(yield* listed(store, `${folder}none/`)).toEqual([])
    }))

  it("a new file is created once, and writing the same bytes again counts as success", (store, folder) =>
    Effect.gen(function* () {
      expect(yield* store.writeNew(`${folder}v1`, encode("ours"))).toBe(true)
      expect(yield* store.writeNew(`${folder}v1`, encode("theirs"))).toBe(false)
      expect(yield* store.writeNew(`${folder}v1`, encode("our"))).toBe(false)
      expect(yield* store.writeNew(`${folder}v1`, encode("ours"))).toBe(true)
      expect(decode(yield* store.read(`${folder}v1`))).toBe("ours")
    }))

  it("only one of eight writers creates a new file, and its bytes stay", (store, folder) =>
    Effect.gen(function* () {
      const contents = Array.from({ length: 8 }, (_, writer) => `writer ${writer}`)
      const won = yield* Effect.forEach(contents, (content) => store.writeNew(`${folder}v1`, encode(content)), {
        concurrency: "unbounded"
      })
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(decode(yield* store.read(`${folder}v1`))).toBe(contents[won.indexOf(true)]!)
    }))

  it("chunks are written as one file, of one part or several", (store, folder) =>
    Effect.gen(function* () {
      expect(yield* store.writeChunks(`${folder}none`, chunks(0, 1))).toBe(0)
      expect((yield* store.read(`${folder}none`)).byteLength).toBe(0)
      expect(yield* store.writeChunks(`${folder}small`, chunks(3, 1000))).toBe(3000)
      expect([...(yield* store.readRange(`${folder}small`, 999, 2))]).toEqual([0, 1])
      expect(yield* store.writeChunks(`${folder}large`, chunks(7, 3 * MIB))).toBe(21 * MIB)
      expect((yield* store.head(`${folder}large`)).size).toBe(21 * MIB)
      for (let chunk = 1; chunk < 7; chunk++) {
        expect([...(yield* store.readRange(`${folder}large`, chunk * 3 * MIB - 1, 2))]).toEqual([chunk - 1, chunk])
      }
    }))

  it("a failing source of chunks leaves no file", (store, folder) =>
    Effect.gen(function* () {
      for (const count of [1, 7]) {
        expect(yield* reasonOf(store.writeChunks(`${folder}broken`, failing(count, 3 * MIB)))).toBe("Invalid")
      }
      expect(yield* listed(store, folder)).toEqual([])
    }))

  it("all pages of a folder are listed, and its files are removed", (store, folder) =>
    Effect.gen(function* () {
      const files = Array.from({ length: 1100 }, (_, index) => `${folder}data/day=${index % 7}/${index}.parquet`)
      yield* Effect.forEach(files, (file) => store.write(file, encode("x")), { concurrency: 32, discard: true })
      yield* store.write(`${folder}metadata/v1.json`, encode("xyz"))
      yield* store.write(`${folder.slice(0, -1)}-other/file`, encode("x"))
      const all = yield* listed(store, folder)
      expect(all).toHaveLength(1101)
      expect(all).toContain("data/day=3/703.parquet 1")
      expect(yield* listed(store, `${folder}metadata/`)).toEqual(["v1.json 3"])
      yield* store.remove(files)
      expect(yield* listed(store, folder)).toEqual(["metadata/v1.json 3"])
    }))
}
