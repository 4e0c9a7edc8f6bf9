import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { Failure } from "./Failure.ts"

/** Where Linux distributions, macOS and SDKMAN install Java. */
const places = (): ReadonlyArray<string> => {
  const folders: ReadonlyArray<readonly [string, string]> = [
    ["/usr/lib/jvm", "*/bin/java"],
    ["/opt", "*/bin/java"],
    ["/Library/Java/JavaVirtualMachines", "*/Contents/Home/bin/java"],
    [join(homedir(), ".sdkman/candidates/java"), "*/bin/java"]
  ]
  return folders.flatMap(([folder, pattern]) =>
    existsSync(folder)
      ? [...new Bun.Glob(pattern).scanSync({ cwd: folder, followSymlinks: true })].map((path) => join(folder, path))
      : []
  )
}

const versionOf = (java: string): number => {
  try {
    // It prints `openjdk version "25.0.1" …`, and `"1.8.0"` for 8.
    const { stderr } = Bun.spawnSync([java, "-version"], { timeout: 10_000 })
    return Number(/version "(?:1\.)?(\d+)/.exec(stderr.toString())?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** A `java` of at least this version: from `FOOTFALL_JAVA`, `JAVA_HOME`, the path, or any installed one; fails with what is missing. */
export const findJava = (name: string, oldest: number): string => {
  const given = process.env["FOOTFALL_JAVA"]
  const home = process.env["JAVA_HOME"]
  const candidates = [given, home && join(home, "bin", "java"), Bun.which("java"), ...places()]
  const found: Array<string> = []
  for (const java of candidates) {
    if (!java || !existsSync(java)) continue
    const version = versionOf(java)
    if (version >= oldest) return java
    found.push(`${java} is ${version}`)
  }
  throw new Failure(
    `${name}: needs Java ${oldest} or newer (${found.length === 0 ? "there is none here" : found.join(", ")}). ` +
      "Install one (Temurin 25 was tested), or set FOOTFALL_JAVA to its `bin/java`."
  )
}
