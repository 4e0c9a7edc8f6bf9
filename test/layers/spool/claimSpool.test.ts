import { expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { claimSpool, listSpools } from "../../../layers/spool/claimSpool.ts"
import { contentOf, newFolder, spoolOptions } from "../../support/disk/spools.ts"

test("spools are claimed by number, and one that was left is claimed again with its records", async () => {
  const root = newFolder()
  const { folder: _, ...options } = spoolOptions("")
  const claim = async () => {
    const scope = await Effect.runPromise(Scope.make())
    return { spool: await Effect.runPromise(Scope.provide(claimSpool(root, options), scope)), scope }
  }
  const close = ({ scope }: { readonly scope: Scope.Closeable }) => Effect.runPromise(Scope.close(scope, Exit.void))
  const [zero, one, two] = [await claim(), await claim(), await claim()]
  expect([zero, one, two].map(({ spool }) => spool.folder)).toEqual([join(root, "0"), join(root, "1"), join(root, "2")])
  expect(new Set([zero, one, two].map(({ spool }) => spool.id)).size).toBe(3)
  await Effect.runPromise(one.spool.append("left"))
  await close(one)
  const again = await claim()
  expect(again.spool.folder).toBe(join(root, "1"))
  expect(again.spool.id).toBe(one.spool.id)
  expect(contentOf(again.spool)).toEqual({ records: ["left"], damages: [] })
  writeFileSync(join(root, "notes"), "")
  mkdirSync(join(root, "10"))
  expect(await Effect.runPromise(listSpools(root))).toEqual(["0", "1", "2", "10"].map((name) => join(root, name)))
  for (const claimed of [zero, two, again]) await close(claimed)
})
