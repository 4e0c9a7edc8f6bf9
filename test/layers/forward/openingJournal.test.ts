import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  clearOpenings,
  noteOpenings,
  type Opening,
  rewindTarget,
  withOpening
} from "../../../layers/forward/openingJournal.ts"
import { folderFiles } from "../../../layers/spool/SpoolFiles.ts"
import { temporaryFolder } from "../../support/postgres/postgres.ts"

const at = (time: string): number => Date.parse(`2026-11-24T${time}Z`)

test("openings are kept in the folder until they are cleared, without those that a later one implies", async () => {
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
  await clearOpenings(files)
  expect(await open(60, "15:00:00.000")).toEqual([{ position: 60, at: at("15:00:00.000") }])
})

test("malformed lines in the file of openings are ignored", async () => {
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
  ["before all openings", 500, 100],
  ["between the first two openings", 1_500, 200],
  ["between the last two openings", 2_500, 300],
  ["after all openings, by a wrong clock", 9_000, 300]
])("a watermark set %s (at %i) is rewound to %i", (_, setAt, end) => {
  expect(rewindTarget(OPENINGS, setAt)).toBe(end)
})
