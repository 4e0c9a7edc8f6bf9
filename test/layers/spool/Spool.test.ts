import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber, type Scope } from "effect"
import { claimSpool, listSpools } from "../../../layers/spool/claimSpool.ts"
import { readRecords } from "../../../layers/spool/readRecords.ts"
import { openSpool, type Spool, type SpoolOptions } from "../../../layers/spool/Spool.ts"
import type { Damage } from "../../../layers/spool/scan.ts"
import { run } from "../../support/controlPlane.ts"
import { until } from "../../support/eventually.ts"
import { Program } from "../../support/Program.ts"

setDefaultTimeout(60_000)

const root = mkdtempSync(join(tmpdir(), "footfall-spool-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = (): string => join(root, String(folders++))

const SEGMENT = 64 << 10
const options = (folder: string, more: Partial<SpoolOptions> = {}): SpoolOptions => ({
  folder,
  maxPending: 10_000,
  maxBytes: 2 ** 30,
  timeoutMs: 10_000,
  segmentBytes: SEGMENT,
  ...more
})

const read = (folder: string, from: number, to: number) => {
  const damages: Array<Damage> = []
  const texts: Array<string> = []
  for (const { payload } of readRecords(folder, from, to, (damage) => damages.push(damage))) {
    texts.push(Buffer.from(payload).toString())
  }
  return { texts, damages }
}

/** As many at a time as fit into the group of so small a segment. */
const appendAll = (spool: Spool, all: ReadonlyArray<string>) =>
  Effect.forEach(all, (text) => spool.append(text), { concurrency: 30, discard: true })

const texts = (count: number, length = 100) =>
  Array.from({ length: count }, (_, index) => `${index} \u{1f600} ${"x".repeat(length)}`)

const segmentsIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".log"))

/** A log with some records, closed again. */
const written = (folder: string, all: ReadonlyArray<string>): Effect.Effect<number, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const spool = yield* openSpool(options(folder))
      for (const text of all) yield* spool.append(text)
      return spool.durable()
    })
  )

const check = <A>(body: Effect.Effect<A, unknown, Scope.Scope>): Promise<A> => run(body)

describe("a log in a folder", () => {
  test("gives back what it was given, over many files, now and when it is opened again", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        const all = texts(5_000)
        const id = yield* Effect.scoped(
          Effect.gen(function* () {
            const spool = yield* openSpool(options(folder))
            yield* appendAll(spool, all)
            expect(segmentsIn(folder).length).toBeGreaterThan(5)
            expect(read(folder, 0, spool.durable())).toEqual({ texts: all, damages: [] })
            return spool.id
          })
        )
        const spool = yield* openSpool(options(folder))
        expect(spool.id).toBe(id)
        expect(spool.cut).toBe(0)
        yield* spool.append("one more")
        expect(read(folder, 0, spool.durable())).toEqual({ texts: [...all, "one more"], damages: [] })
      })
    ))

  test("is read from any position on", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        yield* written(folder, texts(50))
        const ends = [...readRecords(folder, 0, 1e9, () => {})].map(({ position }) => position)
        for (const [index, end] of ends.entries()) {
          expect(read(folder, end, ends.at(-1)!).texts).toEqual(texts(50).slice(index + 1))
        }
      })
    ))

  test("gives up files that were read, and tells from where it is there", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const spool = yield* openSpool(options(folder))
            yield* appendAll(spool, texts(5_000))
            yield* spool.trim(spool.durable())
            expect(segmentsIn(folder).length).toBe(1)
          })
        )
        const spool = yield* openSpool(options(folder))
        expect(spool.oldest).toBe(spool.durable())
        expect(read(folder, spool.oldest, spool.durable())).toEqual({ texts: [], damages: [] })
      })
    ))

  test("belongs to one owner at a time", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        const first = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* openSpool(options(folder))
            return yield* Effect.flip(openSpool(options(folder)))
          })
        )
        expect(first).toMatchObject({ reason: "Locked", message: `Another process uses the spool in ${folder}.` })
        yield* openSpool(options(folder))
      })
    ))

  test("is the first that nobody uses, of those under a folder", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        const { folder: _, ...claim } = options(folder)
        const [a, b] = [yield* claimSpool(folder, claim), yield* Effect.scoped(claimSpool(folder, claim))]
        expect([a.folder, b.folder]).toEqual([join(folder, "0"), join(folder, "1")])
        expect((yield* claimSpool(folder, claim)).id).toBe(b.id)
        expect(yield* listSpools(folder)).toEqual([join(folder, "0"), join(folder, "1")])
      })
    ))

  test("takes no more than its room, and takes records again when some was given up", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        const spool = yield* openSpool(options(folder, { maxBytes: 3 * SEGMENT }))
        const outcomes: Array<string> = []
        for (const text of texts(2_000)) {
          outcomes.push(yield* Effect.match(spool.append(text), { onSuccess: () => "ok", onFailure: (e) => e.reason }))
        }
        expect(new Set(outcomes)).toEqual(new Set(["ok", "Overloaded"]))
        expect(spool.status().ready).toBe(false)
        expect((yield* Effect.flip(spool.append("x".repeat(3_000)))).message).toContain(
          "The spool is full (SPOOL_MAX_BYTES = 196608)"
        )
        expect(segmentsIn(folder).length * SEGMENT).toBeLessThanOrEqual(3 * SEGMENT)
        yield* spool.trim(spool.durable())
        yield* spool.append("after")
        expect(spool.status().ready).toBe(true)
      })
    ))

  test("refuses a record that is too long, alone, and one too many for the queue", () =>
    check(
      Effect.gen(function* () {
        const spool = yield* openSpool(options(newFolder(), { maxPending: 3 }))
        expect((yield* Effect.flip(spool.append("x".repeat(SEGMENT)))).reason).toBe("Refused")
        const appended = yield* Effect.forEach(
          texts(5),
          (text) => Effect.match(spool.append(text), { onSuccess: () => "ok", onFailure: ({ reason }) => reason }),
          { concurrency: "unbounded" }
        )
        expect(appended).toEqual(["ok", "ok", "ok", "Overloaded", "Overloaded"])
      })
    ))

  test("answers all that it accepted when it is closed, and takes nothing more", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        const [spool, saved] = yield* Effect.scoped(
          Effect.gen(function* () {
            const spool = yield* openSpool(options(folder))
            const saved = yield* Effect.forkDetach(appendAll(spool, texts(30)), { startImmediately: true })
            return [spool, saved] as const
          })
        )
        yield* Fiber.join(saved)
        expect((yield* Effect.flip(spool.append("late"))).message).toBe("The collector is stopping.")
        expect(read(folder, 0, spool.durable()).texts.length).toBe(30)
      })
    ))
})

describe("a folder that is not as a log left it", () => {
  const at = (folder: string) => {
    const [name] = segmentsIn(folder)
    const path = join(folder, name!)
    return { path, bytes: readFileSync(path) }
  }

  test("with a write that was cut off: it is passed over, and told", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        const end = yield* written(folder, ["first", "second", "third"])
        const { bytes, path } = at(folder)
        bytes.fill(0, end - 3, end)
        writeFileSync(path, bytes)
        const spool = yield* openSpool(options(folder))
        expect(spool.cut).toBeGreaterThan(0)
        yield* spool.append("fourth")
        expect(spool.durable()).toBeGreaterThan(end)
        expect(read(folder, 0, spool.durable())).toEqual({ texts: ["first", "second", "fourth"], damages: [] })
      })
    ))

  test("with a damaged record before others: it is told, and the others are read", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        yield* written(folder, ["first", "second", "third"])
        const { bytes, path } = at(folder)
        bytes[bytes.indexOf("first")]! ^= 1
        writeFileSync(path, bytes)
        const spool = yield* openSpool(options(folder))
        expect(read(folder, 0, spool.durable())).toEqual({ texts: ["second", "third"], damages: [{ from: 0, to: 17 }] })
      })
    ))

  test("without one of its files: what is missing is told", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        yield* written(folder, texts(2_000))
        const names = segmentsIn(folder).sort()
        rmSync(join(folder, names[1]!))
        const spool = yield* openSpool(options(folder))
        const { damages } = read(folder, 0, spool.durable())
        expect(damages).toEqual([{ from: Number.parseInt(names[1]!, 10), to: Number.parseInt(names[2]!, 10) }])
      })
    ))

  test("with files of others: they are left alone", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        mkdirSync(folder)
        writeFileSync(join(folder, "notes.txt"), "mine")
        writeFileSync(join(folder, "1.log"), "mine too")
        const end = yield* written(folder, ["a"])
        expect(read(folder, 0, end).texts).toEqual(["a"])
        expect(readFileSync(join(folder, "1.log"), "utf8")).toBe("mine too")
      })
    ))

  test("with something else in place of its name: it is refused", () =>
    check(
      Effect.gen(function* () {
        const folder = newFolder()
        mkdirSync(folder)
        writeFileSync(join(folder, "spool-id"), "hello")
        const refused = yield* Effect.flip(openSpool(options(folder)))
        expect(refused).toMatchObject({
          reason: "Foreign",
          message: expect.stringContaining("spool-id does not contain a UUID")
        })
      })
    ))
})

test("records that were acknowledged are there after kill -9, in order and once, ten times over", async () => {
  const folder = newFolder()
  const acknowledged: Array<number> = []
  let next = 0
  for (let round = 0; round < 10; round++) {
    await using writer = new Program([
      process.execPath,
      join(import.meta.dir, "../../support/spoolWriter.ts"),
      folder,
      String(next)
    ])
    await until("200 records", () => writer.out.split("\n").length > 200, 30_000)
    writer.signal("SIGKILL")
    await writer.ended()
    const told = writer.out.split("\n").slice(0, -1).map(Number)
    acknowledged.push(...told)
    next = Math.max(...told) + 1_000
  }
  await check(
    Effect.gen(function* () {
      const spool = yield* openSpool(options(folder, { segmentBytes: 1 << 20 }))
      const { damages, texts: found } = read(folder, 0, spool.durable())
      const numbers = found.map((text) => Number(text.split(" ", 1)[0]))
      expect(damages).toEqual([])
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
      const there = new Set(numbers)
      expect(acknowledged.filter((number) => !there.has(number))).toEqual([])
      for (const [index, text] of found.entries())
        expect(text).toBe(`${numbers[index]} ${"x".repeat(numbers[index]! % 700)}`)
    })
  )
})
