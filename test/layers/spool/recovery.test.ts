import { expect, test } from "bun:test"
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { filesWith } from "../../support/disk/filesWith.ts"
import {
  appendAll,
  appendEach,
  changeFile,
  contentOf,
  newFolder,
  openFailure,
  readFolder,
  reopened,
  segmentFiles,
  withSpool
} from "../../support/disk/spools.ts"
import { until } from "../../support/eventually.ts"

/** Three groups of one record of ten bytes each, at 0, 22 and 44. */
const THREE = ["record one", "record two", "record tri"]
const threeRecords = async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) => appendEach(spool, THREE))
  return { folder, path: join(folder, "0000000000000000.log") }
}

const flipBit = (path: string, at: number, bit: number): void =>
  changeFile(path, (bytes) => {
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
    return bytes
  })

test("a record whose end is missing is cut, and the spool continues after it", async () => {
  const { folder, path } = await threeRecords()
  changeFile(path, (bytes) => bytes.subarray(0, 58))
  expect(await reopened(folder)).toEqual({ records: THREE.slice(0, 2), damages: [], cut: 14 })
  await withSpool(folder, (spool) => spool.append("record for"))
  expect(await reopened(folder)).toEqual({ records: [...THREE.slice(0, 2), "record for"], damages: [], cut: 0 })
})

test("an incomplete write that ends in zeros is cut, and the spool continues after it", async () => {
  const { folder, path } = await threeRecords()
  changeFile(path, (bytes) => bytes.fill(0, 63, 66))
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool.cut).toBeGreaterThan(0)
      const end = spool.durable()
      yield* spool.append("record for")
      expect(spool.durable()).toBeGreaterThan(end)
      expect(contentOf(spool)).toEqual({ records: [...THREE.slice(0, 2), "record for"], damages: [] })
    })
  )
})

const LENGTH = 0
const TOP = 3
const CHECK = 5
const CHECKSUM = 9
const BYTES = 16
test.each([
  ["length", "first", LENGTH],
  ["length's top byte", "first", TOP],
  ["check", "first", CHECK],
  ["checksum", "first", CHECKSUM],
  ["bytes", "first", BYTES],
  ["length", "second", 22 + LENGTH],
  ["length's top byte", "second", 22 + TOP],
  ["check", "second", 22 + CHECK],
  ["checksum", "second", 22 + CHECKSUM],
  ["bytes", "second", 22 + BYTES]
])("a flipped bit in the %s of the %s record loses only this record, which is reported", async (_, which, at) => {
  for (const bit of [0, 3, 6, 7]) {
    const { folder, path } = await threeRecords()
    flipBit(path, at, bit)
    const [from, records] = which === "first" ? [0, ["record two", "record tri"]] : [22, ["record one", "record tri"]]
    expect(await reopened(folder)).toEqual({ records, damages: [{ from, to: from + 22 }], cut: 0 })
  }
})

test.each([
  ["length", 44 + LENGTH],
  ["length's top byte", 44 + TOP],
  ["check", 44 + CHECK],
  ["checksum", 44 + CHECKSUM],
  ["bytes", 44 + BYTES]
])("a flipped bit in the %s of the last record looks like an incomplete write", async (_, at) => {
  const { folder, path } = await threeRecords()
  flipBit(path, at, 1)
  expect(await reopened(folder)).toEqual({ records: THREE.slice(0, 2), damages: [], cut: 22 })
})

test("a frame copied to another position is not a record", async () => {
  const { folder, path } = await threeRecords()
  changeFile(path, (bytes) => bytes.copyWithin(22, 0, 22))
  expect(await reopened(folder)).toEqual({
    records: ["record one", "record tri"],
    damages: [{ from: 22, to: 44 }],
    cut: 0
  })
})

test("a missing segment is reported as damage, and the others are read", async () => {
  const folder = newFolder()
  const records = Array.from({ length: 12 }, (_, index) => `${index} ${"m".repeat(15_000)}`)
  await withSpool(folder, (spool) => appendEach(spool, records))
  // A segment has room for four of these records.
  expect(segmentFiles(folder)).toEqual(["0000000000000000.log", "0000000000060056.log", "0000000000120112.log"])
  rmSync(join(folder, "0000000000060056.log"))
  expect(await reopened(folder)).toEqual({
    records: [...records.slice(0, 4), ...records.slice(8)],
    damages: [{ from: 60_056, to: 120_112 }],
    cut: 0
  })
})

test("a spool opens in an empty folder, and with an empty segment in it", async () => {
  const folder = newFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, "0000000000000123.log"), "")
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool.accepted()).toBe(123)
      yield* spool.append("one")
    })
  )
  expect(await reopened(folder)).toEqual({ records: ["one"], damages: [{ from: 0, to: 123 }], cut: 0 })
})

test("a segment of junk contains no record, and the spool continues after it", async () => {
  const folder = newFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, "0000000000000000.log"), Buffer.alloc(5_000, "junk@A\0"))
  expect(await reopened(folder)).toEqual({ records: [], damages: [], cut: 5_000 })
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      expect(spool.accepted()).toBe(5_000)
      yield* spool.append("one")
    })
  )
  expect(await reopened(folder)).toEqual({ records: ["one"], damages: [], cut: 0 })
})

test.each([
  ["spool-id", "", "its file spool-id does not contain a UUID"],
  ["spool-id", "not a UUID", "its file spool-id does not contain a UUID"],
  ["trimmed", "", "its file trimmed does not contain a position"],
  ["trimmed", "12 345", "its file trimmed does not contain a position"],
  ["trimmed", "-1", "its file trimmed does not contain a position"],
  ["trimmed", "99999999999999999", "its file trimmed does not contain a position"]
])("a folder whose file %s contains %p is not opened as a spool", async (name, content, problem) => {
  const folder = newFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, name), content)
  expect(await openFailure(folder)).toEqual({
    reason: "Foreign",
    message: `${folder} can't be used as a spool: ${problem}.`
  })
})

test("a file in place of the folder is reported", async () => {
  const folder = newFolder()
  writeFileSync(folder, "")
  expect(await openFailure(folder)).toEqual({ reason: "Io", message: `The spool in ${folder} can't be used: EEXIST.` })
})

test("other files in the folder are left alone", async () => {
  const { folder, path } = await threeRecords()
  const others = ["notes.txt", "7.log", "000000000000000a.log", "0000000000000000.log.bak", "trimmed.old"]
  for (const name of others) writeFileSync(join(folder, name), "theirs")
  mkdirSync(join(folder, "folder"))
  copyFileSync(path, join(folder, "folder", "0000000000000000.log"))
  await withSpool(folder, (spool) =>
    Effect.andThen(
      spool.append("record for"),
      Effect.suspend(() => spool.trim(spool.durable()))
    )
  )
  for (const name of others) expect(readFileSync(join(folder, name), "utf8")).toBe("theirs")
  expect(existsSync(join(folder, "folder", "0000000000000000.log"))).toBe(true)
  expect(await reopened(folder)).toEqual({ records: [], damages: [], cut: 0 })
})

test("a spool that is opened on a full disk reports its last records as acknowledged, and as durable once there is room", async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) => appendAll(spool, ["first", "second"]))
  let isFull = true
  const files = filesWith((file) => ({
    write: (bytes, offset) =>
      isFull ? Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" })) : file.write(bytes, offset)
  }))
  const end = await withSpool(
    folder,
    (spool) =>
      Effect.gen(function* () {
        expect([spool.durable(), spool.problem()]).toEqual([0, "the disk is full"])
        const acknowledged = spool.acknowledged()
        expect(readFolder(folder, 0, acknowledged).records).toEqual(["first", "second"])
        isFull = false
        yield* Effect.promise(() => until("the last records are written again", () => spool.durable() >= acknowledged))
        expect([spool.acknowledged(), spool.problem()]).toEqual([acknowledged, null])
        return acknowledged
      }),
    { files }
  )
  expect(end).toBeGreaterThan(0)
  expect((await reopened(folder)).records).toEqual(["first", "second"])
})
