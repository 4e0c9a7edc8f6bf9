import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Context, Effect, type Redacted } from "effect"
import { Settings } from "../../../../src/ports/Settings.ts"
import type { Environment } from "../../../../src/settings/resolve.ts"
import {
  CORS_MAX_AGE,
  DISABLE_BOT_CHECK,
  ENFORCE_DOMAINS,
  LICENSE_TOKEN,
  MAX_BODY_BYTES,
  PORT,
  RATE_LIMIT_BURST,
  RATE_LIMIT_EVENTS_PER_SECOND,
  REMOVE_TRAILING_SLASH
} from "../../../../src/settings/settings.ts"
import { eventually } from "../../../support/eventually.ts"
import { run, startProcess } from "../../../support/postgres/controlPlane.ts"
import { freshDatabase, openClient } from "../../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const settingsOf = (url: Redacted.Redacted<string>, environment = {}) =>
  Effect.map(startProcess(url, environment), Context.get(Settings))

const insert = (url: Redacted.Redacted<string>, rows: Readonly<Record<string, string>>) =>
  Effect.flatMap(openClient(url), (sql) =>
    Effect.forEach(Object.entries(rows), ([name, value]) =>
      sql.unsafe("INSERT INTO product_analytics_setting (name, value) VALUES ($1, $2)", [name, value])
    )
  )

test("the environment overrides the table, and the table the default", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      yield* insert(url, { "cors-max-age": "60", "max-body-bytes": "2048" })
      const settings = yield* settingsOf(url, { CORS_MAX_AGE: "10" })
      expect([settings.get(CORS_MAX_AGE), settings.get(MAX_BODY_BYTES), settings.get(PORT)]).toEqual([10, 2048, 3000])
      const states = new Map((yield* settings.list).map((state) => [state.setting.name, state]))
      expect(states.get("cors-max-age")).toMatchObject({
        value: "10",
        source: "environment",
        note: "The environment overrides the value in the settings table."
      })
      expect(states.get("max-body-bytes")).toMatchObject({ value: "2048", source: "table", note: null })
      expect(states.get("port")).toMatchObject({ value: "3000", source: "default", note: null })
      expect(states.get("geolite-db-path")).toMatchObject({ value: null, source: "default" })
    })
  )
})

test("an empty environment variable is an error for a number, and for a flag or list it counts as absent", async () => {
  const url = await freshDatabase()
  const read = (environment: Environment) =>
    run(Effect.map(settingsOf(url, environment), (settings) => settings.get(DISABLE_BOT_CHECK)))
  expect(await read({ DISABLE_BOT_CHECK: "", IGNORE_IP: "" })).toBe(false)
  const error = await run(Effect.flip(settingsOf(url, { CORS_MAX_AGE: "" })))
  expect(error).toMatchObject({
    message: expect.stringMatching(
      /^CORS_MAX_AGE is set but empty; it accepts .*\. Unset it to use the default \(86400\)\.$/
    )
  })
})

test("the error lists every invalid value with its setting and what it accepts, but no secret", async () => {
  const url = await freshDatabase()
  const error = await run(
    Effect.andThen(
      insert(url, { "max-batch-items": "many" }),
      Effect.flip(settingsOf(url, { PORT: "http", APP_SECRET: "hunter2", SALT_ROTATION: "year" }))
    )
  )
  expect(error.message.split("\n")).toEqual([
    'PORT is "http"; it accepts a whole number from 0 to 65535.',
    'MAX_BATCH_ITEMS is "many"; it accepts a whole number from 1 to 100000. It comes from the settings table: `bun run footfall settings set max-batch-items …` or `unset` it.',
    'SALT_ROTATION is "year"; it accepts `day`, `week` or `month`.',
    "APP_SECRET has 7 characters; it accepts 8 characters or more, such as the output of `openssl rand -base64 32`; no known placeholder."
  ])
})

test("a live setting takes effect in every process, and its default again when it is unset", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const mine = yield* settingsOf(url)
      const theirs = yield* settingsOf(url)
      const state = yield* mine.set("rate-limit-events-per-second", "2.5")
      expect(state).toMatchObject({ value: "2.5", source: "table", note: null })
      expect(mine.get(RATE_LIMIT_EVENTS_PER_SECOND)).toBe(2.5)
      yield* eventually("the other process follows", () => theirs.get(RATE_LIMIT_EVENTS_PER_SECOND) === 2.5)
      yield* mine.unset("RATE_LIMIT_EVENTS_PER_SECOND")
      expect(mine.get(RATE_LIMIT_EVENTS_PER_SECOND)).toBeNull()
      yield* eventually("the other process follows", () => theirs.get(RATE_LIMIT_EVENTS_PER_SECOND) === null)
    })
  )
})

test("a setting that is not live takes effect after a restart, as its note says", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const settings = yield* settingsOf(url)
      expect(yield* settings.set("cors-max-age", "60")).toMatchObject({
        value: "60",
        note: "Takes effect after a restart."
      })
      expect(settings.get(CORS_MAX_AGE)).toBe(86_400)
      expect((yield* settingsOf(url)).get(CORS_MAX_AGE)).toBe(60)
    })
  )
})

test("secrets are never listed", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const settings = yield* settingsOf(url, { APP_SECRET: "a-secret-of-the-instance" })
      yield* settings.set("license-token", "eyJhbGciOiJFZERTQSJ9.e30.c2ln")
      expect(settings.get(LICENSE_TOKEN)).toBe("eyJhbGciOiJFZERTQSJ9.e30.c2ln")
      const states = yield* settings.list
      expect(states.flatMap(({ setting, value }) => (value === "•••" ? setting.env : []))).toEqual([
        "APP_SECRET",
        "LICENSE_TOKEN"
      ])
      expect(JSON.stringify(states)).not.toContain("eyJ")
    })
  )
})

test("an invalid live value in the table leaves the previous value in effect", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const settings = yield* settingsOf(url)
      yield* settings.set("rate-limit-burst", "7")
      const sql = yield* openClient(url)
      yield* sql.unsafe("UPDATE product_analytics_setting SET value = 'lots' WHERE name = 'rate-limit-burst'")
      yield* settings.set("rate-limit-events-per-second", "1")
      expect(settings.get(RATE_LIMIT_BURST)).toBe(7)
      const state = (yield* settings.list).find(({ setting }) => setting.name === "rate-limit-burst")
      expect(state?.note).toContain('RATE_LIMIT_BURST is "lots"')
    })
  )
})

describe("a value that cannot be set", () => {
  test.each([
    ["nonsense", "1", "Unknown", "There is no setting"],
    ["port", "1", "ReadOnly", "read only from the environment"],
    ["cors-max-age", "60", "ReadOnly", "overrides the settings table"],
    ["max-body-bytes", "lots", "Invalid", 'MAX_BODY_BYTES is "lots"; it accepts a whole number of bytes'],
    ["disable-bot-check", "perhaps", "Invalid", 'DISABLE_BOT_CHECK is "perhaps"; it accepts `on` or `off`'],
    ["tracker-script-file", "/nope", "Invalid", "TRACKER_SCRIPT_FILE is /nope, which cannot be read (ENOENT)."],
    ["storage-backend", "iceberg", "Invalid", "PRODUCT_ANALYTICS_ICEBERG_S3_BUCKET is missing."],
    ["feature-gate", "token", "Invalid", "FEATURE_GATE is `token`, which needs LICENSE_PUBLIC_KEY"],
    [
      "warehouse",
      "duckdb",
      "Invalid",
      "WAREHOUSE=duckdb cannot query what STORAGE_BACKEND=postgres stores. Set WAREHOUSE to replica, postgres or none, or change STORAGE_BACKEND."
    ]
  ])("setting %s=%s fails with a reason", async (name, value, reason, message) => {
    const url = await freshDatabase()
    const error = await run(
      Effect.flatMap(settingsOf(url, { CORS_MAX_AGE: "10" }), (settings) => Effect.flip(settings.set(name, value)))
    )
    expect(error.reason).toBe(reason as never)
    expect(error.message).toContain(message)
  })
})

test("switches are turned on and off by words, and the environment decides with the same words", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const settings = yield* settingsOf(url)
      expect((yield* settings.set("disable-bot-check", "yes")).value).toBe("on")
      expect((yield* settings.set("disable-bot-check", "off")).value).toBe("off")
      expect((yield* settings.set("enforce-domains", "off")).value).toBe("off")
      const started = yield* settingsOf(url, { DISABLE_BOT_CHECK: "false", REMOVE_TRAILING_SLASH: "1" })
      expect([
        started.get(DISABLE_BOT_CHECK),
        started.get(REMOVE_TRAILING_SLASH),
        started.get(ENFORCE_DOMAINS)
      ]).toEqual([false, true, false])
    })
  )
})

test("settings that need each other are set one after the other, with a note until they are complete", async () => {
  const url = await freshDatabase()
  await run(
    Effect.gen(function* () {
      const settings = yield* settingsOf(url)
      yield* settings.set("product-analytics-iceberg-s3-bucket", "events")
      yield* settings.set("storage-backend", "iceberg")
      yield* settings.set("warehouse", "duckdb")
      const back = yield* Effect.flip(settings.unset("storage-backend"))
      expect(back.message).toStartWith("WAREHOUSE=duckdb cannot query what STORAGE_BACKEND=postgres stores.")
      const half = yield* settings.set("product-analytics-iceberg-aws-access-key", "AKIA")
      expect(half.note).toBe(
        "Takes effect after a restart. No process starts with this yet: PRODUCT_ANALYTICS_ICEBERG_AWS_SECRET_KEY is missing but PRODUCT_ANALYTICS_ICEBERG_AWS_ACCESS_KEY is set."
      )
      expect((yield* settings.set("product-analytics-iceberg-aws-secret-key", "secret")).note).toBe(
        "Takes effect after a restart."
      )
      yield* settings.unset("warehouse")
      yield* settings.unset("storage-backend")
    })
  )
})
