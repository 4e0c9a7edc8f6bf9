import { expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { adoptSpool } from "../../../layers/forward/adoptSpool.ts"
import type { FlushableSpool } from "../../../layers/forward/makeFlushSpool.ts"
import { newFolder, reopened, spoolOptions, withSpool } from "../../support/disk/spools.ts"
import { loggedLines } from "../../support/loggedLines.ts"

const { folder: _, ...OPTIONS } = spoolOptions("")

/** Adopts a spool. Returns the positions that were flushed and what was logged. */
const adopt = async (folder: string, step = Number.POSITIVE_INFINITY) => {
  const flushed: Array<number> = []
  const openFlush = (_spool: FlushableSpool) =>
    Effect.succeed((upTo: number) =>
      Effect.sync(() => {
        const position = Math.min(upTo, (flushed.at(-1) ?? 0) + step)
        flushed.push(position)
        return { position, rows: 3 }
      })
    )
  const lines = await Effect.runPromise(loggedLines(adoptSpool(folder, OPTIONS, openFlush)))
  return { flushed, lines }
}

test("the spool of a collector that is gone is flushed, trimmed and logged", async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) => spool.append("left"))
  expect(await adopt(folder)).toEqual({
    flushed: [16],
    lines: [`Flushed 3 rows that another collector left in ${folder}.`]
  })
  expect(await reopened(folder)).toEqual({ records: [], damages: [], cut: 0 })
})

test("a spool that is flushed in steps is flushed to its end", async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) => Effect.andThen(spool.append("left"), spool.append("more")))
  expect(await adopt(folder, 16)).toEqual({
    flushed: [16, 32],
    lines: [`Flushed 6 rows that another collector left in ${folder}.`]
  })
  expect(await reopened(folder)).toEqual({ records: [], damages: [], cut: 0 })
})

test("a spool that another process uses is left alone without a warning", async () => {
  const folder = newFolder()
  await withSpool(folder, (spool) =>
    Effect.gen(function* () {
      yield* spool.append("in use")
      expect(yield* Effect.promise(() => adopt(folder))).toEqual({ flushed: [], lines: [] })
    })
  )
})

test("an empty spool is not flushed, and no segment is prepared for it", async () => {
  const folder = newFolder()
  await withSpool(folder, () => Effect.void)
  expect(await adopt(folder)).toEqual({ flushed: [], lines: [] })
  expect(existsSync(join(folder, "next.tmp"))).toBe(false)
})
