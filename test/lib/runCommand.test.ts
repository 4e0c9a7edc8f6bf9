import { expect, test } from "bun:test"
import { bunRun } from "../../src/lib/runCommand.ts"

const NPX = "/root/.npm/_npx/5c4f1b4a21be27f7/node_modules/.bin"
const onlyPrograms =
  (...programs: ReadonlyArray<string>) =>
  (file: string) =>
    programs.includes(file)

test("a command is printed with bun if a shell finds Bun on its PATH", () => {
  expect(bunRun(`${NPX}:/usr/local/bin`, onlyPrograms(`${NPX}/bun`, "/usr/local/bin/bun"))).toBe("bun run")
})

test("a command is printed with npx if only npx, the project or Bun itself put Bun on the PATH", () => {
  const path = `${NPX}:/srv/footfall/node_modules/.bin:/tmp/bun-node-a7733435c:/usr/bin:`
  const programs = onlyPrograms(
    `${NPX}/bun`,
    "/srv/footfall/node_modules/.bin/bun",
    "/tmp/bun-node-a7733435c/bun",
    "bun"
  )
  expect(bunRun(path, programs)).toBe(`npx -y bun@${Bun.version} run`)
})
