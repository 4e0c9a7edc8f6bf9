import { expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"
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
  const created = await footfall(["keys", "create", "--name", "first"], { DATA_DIR, PORT })
  expect([created.code, created.err]).toEqual([0, ""])
  expect(existsSync(join(DATA_DIR, "postgres"))).toBe(true)
  expect((await footfall(["keys", "list"], { DATA_DIR })).out).toContain("first")
}, 180_000)

test("a command that would create a second database while Footfall runs here says so, and creates nothing", async () => {
  await using all = new AsyncDisposableStack()
  const full = all.use(await Footfall.start({ entry: "full", environment: { DATA_DIR: temporaryFolder() } }))
  const folder = temporaryFolder()
  const DATA_DIR = join(folder, "mistyped")
  const environment = { DATA_DIR, PORT: String(full.port) }
  for (const args of [
    ["sites", "create", "--name", "Shop"],
    ["users", "create", "--email", "ada@example.com", "--name", "Ada"],
    ["groups", "create", "--name", "Analysts"],
    ["keys", "create"],
    ["settings", "set", "DISABLE_BOT_CHECK", "on"],
    ["demo"],
    ["migrate"]
  ]) {
    expect([args, await footfall(args, environment)]).toEqual([
      args,
      {
        code: 2,
        out: "",
        err: `There is no Footfall data in DATA_DIR (${DATA_DIR}), but Footfall runs on http://localhost:${full.port} with data elsewhere. To work on that, set DATA_DIR or DATABASE_URL as for the server. To create a second instance in this folder, set PORT to the port that it will have.\n`
      }
    ])
  }
  expect(readdirSync(folder)).toEqual([])
  // Another port, and so another instance.
  expect((await footfall(["keys", "create"], { DATA_DIR, PORT })).code).toBe(0)
  // Data of its own is used, whatever runs here.
  expect((await footfall(["keys", "create"], environment)).code).toBe(0)
}, 180_000)
