import { createHash } from "node:crypto"
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { Failure } from "./Failure.ts"
import { alone } from "./lock.ts"
import { inServices, SERVICES_FOLDER } from "./place.ts"
import { logFile, logTail } from "./processes.ts"

/** Enough for the largest download, Trino's 821 MB, at 1 MB/s. */
const FETCH_MS = 15 * 60_000
const PROGRESS_MS = 5_000

export const say = (name: string, text: string): void => console.error(`${name.padEnd(10)} ${text}`)

/** Bytes on disk of everything below a path. */
export const sizeOf = (path: string): number =>
  existsSync(path) ? Number(Bun.spawnSync(["du", "-sk", path]).stdout.toString().split("\t")[0]) * 1_024 : 0

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
const seconds = (since: number): string => `${((Date.now() - since) / 1_000).toFixed(1)} s`

/** The environment for programs that fetch and build: our own, which has proxies and certificates. */
const ourEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  )

/** Runs a program to its end with its output in a log file, printing every few seconds how much has arrived in the folder. */
export const runLogged = async (
  name: string,
  command: ReadonlyArray<string>,
  options: { readonly into: string; readonly cwd?: string }
): Promise<void> => {
  const log = `fetch-${name}`
  mkdirSync(inServices("log"), { recursive: true })
  const file = openSync(logFile(log), "w")
  const began = Date.now()
  let child: Bun.Subprocess
  try {
    child = Bun.spawn([...command], {
      cwd: options.cwd ?? SERVICES_FOLDER,
      env: ourEnvironment(),
      stdin: "ignore",
      stdout: file,
      stderr: file,
      timeout: FETCH_MS
    })
  } catch (error) {
    throw new Failure(`${name}: can't run ${command[0]}: ${error}`)
  }
  const progress = setInterval(
    () => say(name, `… ${seconds(began)}, ${megabytes(sizeOf(options.into))} so far`),
    PROGRESS_MS
  )
  const code = await child.exited
  clearInterval(progress)
  if (code === 0) return
  const why = code === null || child.signalCode !== null ? `was ended after ${seconds(began)}` : `ended with ${code}`
  throw new Failure(
    `${name}: \`${command.join(" ")}\` ${why}. Its last lines (all in ${logFile(log)}):\n${logTail(log)}`
  )
}

/** The path of a program; fails with how to install it. */
export const needProgram = (name: string, program: string, advice: string): string => {
  const path = Bun.which(program)
  if (path === null) throw new Failure(`${name}: needs \`${program}\`, which is not installed. ${advice}`)
  return path
}

/**
 * Builds what is missing or has another version. `make` names the parts with their versions; a folder without that mark was interrupted or
 * is older. `what` is printed: `fetching this from there`.
 */
export const ensure = (
  name: string,
  folder: string,
  make: string,
  what: string,
  build: () => Promise<void>
): Promise<void> => {
  const mark = join(folder, ".fetched")
  const wanted = createHash("sha256").update(make).digest("hex")
  const isThere = () => existsSync(mark) && readFileSync(mark, "utf8") === wanted
  if (isThere()) return Promise.resolve()
  // One lock per folder: something built from parts fetches those in the meantime.
  return alone(`fetch-${relative(SERVICES_FOLDER, folder).replaceAll(sep, "-")}`, async () => {
    if (isThere()) return
    const began = Date.now()
    say(name, `${what} into ${folder}`)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    await build()
    writeFileSync(mark, wanted)
    say(name, `done: ${megabytes(sizeOf(folder))} in ${seconds(began)}`)
  })
}

/** A separate Python environment with exactly these packages; returns its `bin` folder. */
export const ensureVenv = async (
  name: string,
  packages: ReadonlyArray<string>,
  flags: ReadonlyArray<string> = []
): Promise<string> => {
  const folder = inServices("venv", name)
  await ensure(name, folder, packages.join("\n"), `fetching ${packages.join(", ")} from PyPI`, async () => {
    const python = needProgram(name, "python3", "Install Python 3.10 or newer with its venv module.")
    await runLogged(name, [python, "-m", "venv", folder], { into: folder })
    const pip = [join(folder, "bin", "python"), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    await runLogged(name, [...pip, "--disable-pip-version-check", ...flags, ...packages], { into: folder })
  })
  return join(folder, "bin")
}

/** Maven with its own repository, so that nothing is left in the home folder. */
export const maven = (name: string, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  needProgram(name, "mvn", "Install Maven (Debian: `apt-get install maven`, macOS: `brew install maven`)."),
  "--batch-mode",
  "--no-transfer-progress",
  `-Dmaven.repo.local=${inServices("m2")}`,
  ...args
]
