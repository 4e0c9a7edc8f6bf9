import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { endBehind, forgetOpenings, noteOpenings, type Opening, withOpening } from "../../../layers/forward/openings.ts"
import { folderFiles } from "../../../layers/spool/SpoolFiles.ts"
import { temporaryFolder } from "../../support/postgres.ts"

const at = (time: string): number => Date.parse(`2026-11-24T${time}Z`)

test("openings are noted in the folder until they are forgotten, those that say no more than a later one left out", async () => {
  const files = folderFiles(temporaryFolder())
  const open = async (position: number, time: string): Promise<ReadonlyArray<Opening>> => {
    const openings = await withOpening(files, { position, at: at(time) })
    await noteOpenings(files, openings)
    return openings
  }
  await open(10, "10:00:00.000")
  await open(10, "11:00:00.000")
  await open(30, "12:00:00.000")
  await open(50, "13:00:00.000")
  expect(await open(30, "14:00:00.000")).toEqual([
    { position: 10, at: at("11:00:00.000") },
    { position: 30, at: at("14:00:00.000") }
  ])
  await forgetOpenings(files)
  expect(await open(60, "15:00:00.000")).toEqual([{ position: 60, at: at("15:00:00.000") }])
})

test("what is no opening is no opening", async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, "openings"), "\u{0}\u{0}\n10 2026-11-24T10:00:00.000Z\n20 soon\nx")
  expect(await withOpening(folderFiles(folder), { position: 90, at: at("12:00:00.000") })).toEqual([
    { position: 10, at: at("10:00:00.000") },
    { position: 90, at: at("12:00:00.000") }
  ])
})

const OPENINGS = [
  { position: 100, at: 1_000 },
  { position: 200, at: 2_000 },
  { position: 300, at: 3_000 }
]

test.each([
  ["before all of them", 500, 100],
  ["between them", 1_500, 200],
  ["between the last two", 2_500, 300],
  ["after all of them, by a clock that is wrong", 9_000, 300]
])("a watermark that was set %s, at %i, reaches to %i at most", (_, setAt, end) => {
  expect(endBehind(OPENINGS, setAt)).toBe(end)
})
