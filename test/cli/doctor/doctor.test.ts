import { expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import { freshDatabase, openClient } from "../../support/postgres/postgres.ts"
import { footfall, onFreshDatabase } from "../support.ts"

/** Nothing listens on this port. */
const NO_SERVER = ["--url", "http://localhost:1"]

interface Report {
  readonly healthy: boolean
  readonly checks: ReadonlyArray<{
    readonly about: string
    readonly state: string
    readonly found: string
    readonly hint?: string
  }>
}

const report = (out: string) => {
  const { healthy, checks } = JSON.parse(out) as Report
  return { healthy, of: (about: string) => checks.filter((check) => check.about === about) }
}

test("doctor reports every part of a healthy instance, without secrets", async () => {
  const run = await onFreshDatabase()
  const { code, out } = await run(["doctor", "--json", ...NO_SERVER], { APP_SECRET: "a secret of our own" })
  expect(code).toBe(0)
  const { healthy, of } = report(out)
  expect(healthy).toBe(true)
  expect(of("environment")[0]?.found).toBe("sets DATABASE_URL, APP_SECRET")
  expect(of("migrations")[0]?.found).toStartWith("up to date")
  expect(of("secret")[0]?.found).toBe("from APP_SECRET")
  expect(of("license")[0]?.found).toContain("FEATURE_GATE is open")
  expect(of("proxies")[0]?.found).toStartWith("TRUST_PROXY is private: headers from peers in its ranges are trusted")
  expect(of("geo")[0]?.state).toBe("note")
  expect(of("storage")[0]?.state).toBe("ok")
  expect(of("client")[0]?.found).toStartWith(
    "a program on this machine that sends events without a proxy has the address 127.0.0.1. "
  )
  expect(of("server")[0]?.found).toBe("http://localhost:1 can't be reached: nothing listens there")
  expect(out).not.toContain("a secret of our own")
  expect(out).not.toMatch(/postgres:\/\//)
}, 180_000)

test("doctor reports every problem at once and exits with 1", async () => {
  const run = await onFreshDatabase()
  const { code, out } = await run(["doctor", "--json", ...NO_SERVER], {
    SALT_ROTATION: "year",
    APP_SECRET: "change-me-please",
    FEATURE_GATE: "token",
    GEOLITE_DB_PATH: "/nowhere.mmdb",
    TRACKER_SCRIPT_FILE: "/nowhere.js"
  })
  expect(code).toBe(1)
  const { healthy, of } = report(out)
  expect(healthy).toBe(false)
  expect(of("environment")[0]).toMatchObject({
    state: "bad",
    found: 'SALT_ROTATION is "year"; it accepts `day`, `week` or `month`.'
  })
  expect(of("secret")[0]?.found).toContain("known placeholder")
  expect(of("license")[0]?.found).toContain("needs LICENSE_PUBLIC_KEY")
  expect(of("geo")[0]?.found).toContain("/nowhere.mmdb")
  expect(of("storage")[0]?.state).toBe("ok")
  expect(of("tracker")).toEqual([
    {
      about: "tracker",
      state: "bad",
      found: "TRACKER_SCRIPT_FILE is /nowhere.js, which cannot be read (ENOENT).",
      hint: "The server does not start with this."
    }
  ])
}, 180_000)

test("doctor creates neither a database nor a spool, and reports a folder in which there can be none", async () => {
  const folder = mkdtempSync(join(tmpdir(), "footfall-doctor-"))
  const missing = await footfall(["doctor", ...NO_SERVER], { DATA_DIR: join(folder, "new") })
  expect(missing.code).toBe(0)
  expect(missing.out).toContain(`note  database     DATA_DIR (${join(folder, "new")}) has no database yet\n`)
  const run = await onFreshDatabase()
  await run(["migrate"])
  const lake = {
    STORAGE_BACKEND: "iceberg",
    DATA_DIR: join(folder, "data"),
    PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${join(folder, "lake")}`
  }
  const { of } = report((await run(["doctor", "--json", ...NO_SERVER], lake)).out)
  expect(of("storage")[0]).toMatchObject({ state: "ok", found: "iceberg can be written to" })
  expect(readdirSync(folder)).toEqual(["lake"])
  writeFileSync(join(folder, "file"), "")
  const bad = report(
    (await run(["doctor", "--json", ...NO_SERVER], { ...lake, SPOOL_DIR: join(folder, "file", "x") })).out
  )
  expect(bad.of("storage")[0]).toMatchObject({
    state: "bad",
    found: `iceberg can't be written to: The folder of the spools, ${folder}/file/x, can't be written to (ENOTDIR).`
  })
  const invalid = { ...lake, WAREHOUSE: "duckdb", PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${folder}/a?b` }
  const { code, out } = await run(["doctor", ...NO_SERVER], invalid)
  expect([code, out]).toEqual([1, expect.stringContaining("PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE is ")])
  expect(out).not.toMatch(/S3_BUCKET|ACCESS_KEY/)
  rmSync(folder, { recursive: true })
}, 180_000)

test("doctor reports an invalid value in the settings table, and how to correct it", async () => {
  const url = await freshDatabase()
  const DATABASE_URL = Redacted.value(url)
  await footfall(["migrate"], { DATABASE_URL })
  await Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(openClient(url, 1), (sql) =>
        sql.unsafe("INSERT INTO product_analytics_setting (name, value) VALUES ('cors-max-age', 'soon')")
      )
    )
  )
  const { code, out } = await footfall(["doctor", "--json", ...NO_SERVER], { DATABASE_URL })
  expect(code).toBe(1)
  expect(report(out).of("settings")).toEqual([
    {
      about: "settings",
      state: "bad",
      found: expect.stringMatching(/^cors-max-age: CORS_MAX_AGE is "soon"; it accepts .* settings set cors-max-age/)
    }
  ])
}, 180_000)

test("doctor reports an unreachable database with its address and without its password", async () => {
  const { code, out } = await footfall(["doctor", ...NO_SERVER], {
    DATABASE_URL: "postgres://me:hunter2@127.0.0.1:1/footfall"
  })
  expect(code).toBe(1)
  expect(out).toMatch(/^fail {2}database +Can't connect to the Postgres of DATABASE_URL at 127\.0\.0\.1:1: /m)
  expect(out).not.toContain("hunter2")
}, 180_000)

test("other commands fail with the same message while the database is unreachable", async () => {
  const failed = await footfall(["sites", "list"], { DATABASE_URL: "postgres://me:hunter2@127.0.0.1:1/footfall" })
  expect([failed.code, failed.out]).toEqual([1, ""])
  expect(failed.err).toContain("127.0.0.1:1")
  expect(failed.err).not.toContain("hunter2")
}, 180_000)
