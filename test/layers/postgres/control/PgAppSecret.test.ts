import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, Redacted } from "effect"
import { AppSecret } from "../../../../src/ports/AppSecret.ts"
import { run, startProcess } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const secretOf = (url: Redacted.Redacted<string>, environment = {}) =>
  Effect.map(startProcess(url, environment), (services) => {
    const { value, source } = Context.get(services, AppSecret)
    return { value: Redacted.value(value), source }
  })

test("APP_SECRET comes before ENCRYPTION_SECRET_KEY, which comes before the instance's own", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const both = { APP_SECRET: "umami's old secret", ENCRYPTION_SECRET_KEY: "another secret of the instance" }
      expect(yield* secretOf(url, both)).toEqual({ value: "umami's old secret", source: "APP_SECRET" })
      expect(yield* secretOf(url, { ENCRYPTION_SECRET_KEY: "another secret of the instance" })).toEqual({
        value: "another secret of the instance",
        source: "ENCRYPTION_SECRET_KEY"
      })
      const own = yield* secretOf(url)
      expect(own.source).toBe("database")
      expect(own.value).toMatch(/^[\w-]{43}$/)
    })
  )
})

test("processes that start at the same time or later share one generated secret", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const together = yield* Effect.forEach(Array.from({ length: 6 }), () => secretOf(url), {
        concurrency: "unbounded"
      })
      const later = yield* secretOf(url)
      expect(new Set([...together, later].map(({ value }) => value)).size).toBe(1)
    })
  )
})

describe("a known placeholder as the secret", () => {
  test.each([
    [{ APP_SECRET: "replace-me-with-a-random-string" }, "APP_SECRET"],
    [{ ENCRYPTION_SECRET_KEY: "your-secret-key-here" }, "ENCRYPTION_SECRET_KEY"],
    [
      { APP_SECRET: "a secret of the instance", ENCRYPTION_SECRET_KEY: "CHANGE-ME-IN-PRODUCTION" },
      "ENCRYPTION_SECRET_KEY"
    ]
  ])(
    "a process with the placeholder %j does not start, and the message does not repeat it",
    async (environment, variable) => {
      const url = await freshDatabase()
      const { message } = await run(Effect.flip(secretOf(url, environment)))
      expect(message).toStartWith(`${variable} is a known placeholder`)
      expect(message).not.toContain(environment[variable as keyof typeof environment]!)
    }
  )
})
