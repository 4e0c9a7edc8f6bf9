import { expect, test } from "bun:test"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { makeUnfinished } from "../../../layers/inprocess/unfinishedFolder.ts"

const attempt = <A>(run: () => A) => Effect.sync(run)

test("what a killed process left is removed, whether it had only just made its folder, was filling it or was about to rename it", async () => {
  const parent = mkdtempSync(join(tmpdir(), "footfall-unfinished-"))
  const folder = join(parent, "backup")
  const left = (name: string) => `${folder}.unfinished-${name}`
  mkdirSync(left("empty"))
  mkdirSync(left("filling"))
  writeFileSync(join(left("filling"), "lock"), "")
  writeFileSync(join(left("filling"), "data"), "x")
  for (const name of ["sealed", "sealing"]) {
    mkdirSync(left(name))
    writeFileSync(join(left(name), "data"), "x")
  }
  utimesSync(left("sealed"), new Date(0), new Date(0))
  await Effect.runPromise(
    Effect.scoped(
      Effect.map(makeUnfinished(folder, attempt), ({ path }) => {
        expect(existsSync(path)).toBe(true)
        // One that is about to be renamed is left to its process.
        expect(
          readdirSync(parent)
            .map((name) => join(parent, name))
            .sort()
        ).toEqual([path, left("sealing")].sort())
      })
    )
  )
  expect(readdirSync(parent)).toEqual(["backup.unfinished-sealing"])
})
