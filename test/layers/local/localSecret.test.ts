import { expect, test } from "bun:test"
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, References } from "effect"
import * as LocalSecretFile from "../../../layers/local/LocalSecretFile.ts"
import { ensureLocalSecret, readLocalSecret } from "../../../layers/local/localSecret.ts"
import { localToken, provesSecret } from "../../../src/domain/localToken.ts"
import { LocalCommands } from "../../../src/ports/LocalCommands.ts"
import { temporaryFolder } from "../../support/postgres/postgres.ts"

const fileIn = (folder: string) => join(folder, "local-secret")

test("processes that start at the same time agree on one secret, which only their user can read", async () => {
  const folder = join(temporaryFolder(), "new", "folder")
  const secrets = await Promise.all(Array.from({ length: 20 }, () => ensureLocalSecret(folder)))
  expect(new Set(secrets).size).toBe(1)
  expect(secrets[0]).toMatch(/^[\w-]{43}$/)
  expect(await readLocalSecret(folder)).toBe(secrets[0]!)
  expect(statSync(fileIn(folder)).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(["local-secret"])
  expect(await ensureLocalSecret(folder)).toBe(secrets[0]!)
})

test("a secret that others could read is replaced, and a damaged one too", async () => {
  const folder = temporaryFolder()
  const first = await ensureLocalSecret(folder)
  chmodSync(fileIn(folder), 0o644)
  const second = await ensureLocalSecret(folder)
  expect(second).not.toBe(first)
  expect(statSync(fileIn(folder)).mode & 0o777).toBe(0o600)
  writeFileSync(fileIn(folder), "short\n")
  expect(await readLocalSecret(folder)).toBeNull()
  const third = await ensureLocalSecret(folder)
  expect([third === second, await readLocalSecret(folder)]).toEqual([false, third])
})

test("without a folder that can be written, no token is accepted, and the process still starts", async () => {
  const file = join(temporaryFolder(), "a-file")
  writeFileSync(file, "")
  await Effect.runPromise(
    Effect.gen(function* () {
      const { accepts } = yield* LocalCommands
      expect(yield* accepts(localToken("", Date.now()))).toBe(false)
    }).pipe(
      Effect.provide(LocalSecretFile.layerIn(Effect.succeed(join(file, "below")))),
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
  )
  expect(existsSync(join(file, "below"))).toBe(false)
  expect(Layer.isLayer(LocalSecretFile.layer)).toBe(true)
})

test("a token proves the secret for a minute, and is worth nothing with another secret or time", () => {
  const token = localToken("secret", 1_000_000)
  expect(token).toMatch(/^ffl_1000000_[0-9a-f]{64}$/)
  for (const now of [940_000, 1_000_000, 1_060_000]) expect(provesSecret(token, "secret", now)).toBe(true)
  for (const now of [939_999, 1_060_001]) expect(provesSecret(token, "secret", now)).toBe(false)
  expect(provesSecret(token, "other", 1_000_000)).toBe(false)
  expect(provesSecret(token.replace("1000000", "1000001"), "secret", 1_000_000)).toBe(false)
  for (const wrong of [
    "",
    "ffl_",
    "ffl_1000000_",
    `ffl_1000000_${"0".repeat(64)}`,
    `${token}\n`,
    `ffl_${"9".repeat(400)}_x`
  ]) {
    expect(provesSecret(wrong, "secret", 1_000_000)).toBe(false)
  }
})
