import { expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/postgres/postgres.ts"
import { footfall } from "./support.ts"

/** Nothing listens there, so that a command is not answered by a server. */
const PORT = "1"

const QUESTION = '{"source":"v_pa_events","aggregation":[["count"]]}'
const SITE = "3f1c2d4e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"

test("a command that needs data says where there is none, and creates nothing in a folder that was named by mistake", async () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, "empty"))
  for (const DATA_DIR of [join(folder, "mistyped", "data"), join(folder, "empty")]) {
    for (const args of [
      ["ask", "visitors"],
      ["query", "-"],
      ["sites", "list"],
      ["sites", "stats", SITE],
      ["users", "list"],
      ["groups", "list"],
      ["keys", "list"],
      ["settings", "list"],
      ["partitions", "merge"],
      ["properties", "rebuild"],
      ["replica", "status"],
      ["demo", "remove"],
      ["lake", "status"]
    ]) {
      expect([args, await footfall(args, { DATA_DIR, PORT }, QUESTION)]).toEqual([
        args,
        {
          code: 2,
          out: "",
          err: `There is no Footfall data in DATA_DIR (${DATA_DIR}). Check DATA_DIR, or set DATABASE_URL if the data is in another Postgres. The first \`bun run full\` creates a database.\n`
        }
      ])
    }
    const backup = await footfall(["backup", join(folder, "backup")], { DATA_DIR, PORT })
    expect([backup.code, backup.err]).toEqual([
      1,
      expect.stringContaining(`no Footfall data in DATA_DIR (${DATA_DIR})`)
    ])
  }
  expect(readdirSync(folder)).toEqual(["empty"])
  expect(readdirSync(join(folder, "empty"))).toEqual([])
}, 180_000)

test("a command that sets something up creates the data that others then find", async () => {
  const DATA_DIR = join(temporaryFolder(), "new")
  const created = await footfall(["keys", "create", "--name", "first"], { DATA_DIR })
  expect([created.code, created.err]).toEqual([0, ""])
  expect(existsSync(join(DATA_DIR, "postgres"))).toBe(true)
  expect((await footfall(["keys", "list"], { DATA_DIR })).out).toContain("first")
}, 180_000)
