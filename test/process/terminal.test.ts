import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "../../bench/support/server.ts"
import { until } from "../support/eventually.ts"
import { run } from "../support/process/Program.ts"

const ROOT = join(import.meta.dir, "../..")

test("on a terminal, information is not red, commands work as printed, and Ctrl-C says what happens", async () => {
  const folder = mkdtempSync(join(tmpdir(), "footfall-terminal-"))
  const port = freePort()
  let screen = ""
  const full = Bun.spawn([process.execPath, join(ROOT, "src/full.ts")], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), DATA_DIR: folder, PATH: "/usr/bin:/bin" },
    terminal: {
      cols: 200,
      rows: 50,
      data: (_terminal, data) => {
        screen += new TextDecoder().decode(data)
      }
    }
  })
  try {
    await until(
      () => `the banner: ${screen}`,
      () => screen.includes("Press Ctrl-C to stop."),
      60_000
    )
    expect(screen).toMatch(/^\d\d:\d\d:\d\d INFO {2}Migrated the database: 0001_control\.\r$/m)
    expect(screen).toContain(
      `    PORT=${port} DATA_DIR=${folder} npx -y bun@${Bun.version} run footfall sites create --name "My site" --domain example.com\r\n`
    )
    full.terminal!.write("\x03")
    expect(await full.exited).toBe(0)
    expect(screen).toMatch(
      /INFO {2}SIGINT: finishing what was accepted, within 25 s\. Pressing Ctrl-C again stops without waiting\.\r$/m
    )
    expect(screen).toMatch(/INFO {2}Stopped\.\r$/m)
    expect(screen).not.toContain("\x1b[31m")
  } finally {
    full.kill("SIGKILL")
    await full.exited
    rmSync(folder, { recursive: true })
  }
}, 300_000)

test.each(["full.ts", "collector.ts", "cli.ts"])("%s refuses to start with an unknown TZ", async (entry) => {
  const ended = await run(
    [process.execPath, join(ROOT, "src", entry), ...(entry === "cli.ts" ? ["sites", "list"] : [])],
    {
      cwd: ROOT,
      environment: { TZ: "Mars/Olympus" }
    }
  )
  expect(ended).toMatchObject({
    code: 2,
    output:
      'TZ is "Mars/Olympus", which is not a known time zone. Set a name such as `Europe/Berlin` or `UTC`, or unset it.\n'
  })
})
