import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { leftovers } from "../../../layers/spool/leftover.ts"
import { appendEach, newFolder, withSpool } from "../../support/disk/spools.ts"

test("spools with records are found without opening them, and trimmed or missing ones are not", async () => {
  const root = newFolder()
  expect(await leftovers(root)).toEqual([])
  await withSpool(join(root, "0"), (spool) => appendEach(spool, ["record one", "record two"]))
  await withSpool(join(root, "1"), (spool) => spool.trim(spool.durable()))
  writeFileSync(join(root, "notes.txt"), "not a spool")
  expect(await leftovers(root)).toEqual([{ folder: join(root, "0"), bytes: 44 }])
  await withSpool(join(root, "0"), (spool) => spool.trim(22))
  expect(await leftovers(root)).toEqual([{ folder: join(root, "0"), bytes: 22 }])
  await withSpool(join(root, "0"), (spool) => spool.trim(spool.durable()))
  expect(await leftovers(root)).toEqual([])
})
