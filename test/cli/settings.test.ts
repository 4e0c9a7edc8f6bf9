import { expect, test } from "bun:test"
import { onFreshDatabase } from "./support.ts"

test("a setting is set, read and unset, and a note says when the environment overrides it", async () => {
  const run = await onFreshDatabase()
  expect(JSON.parse((await run(["settings", "set", "CORS_MAX_AGE", "60", "--json"])).out)).toMatchObject({
    name: "cors-max-age",
    value: "60",
    source: "table"
  })
  const overridden = await run(["settings", "get", "cors-max-age"], { CORS_MAX_AGE: "10" })
  expect(overridden.out).toMatch(
    /value +10\nsource +environment\nnote +The environment overrides the value in the settings table\./
  )
  expect((await run(["settings", "set", "cors-max-age", "70"])).out).toBe(
    "CORS_MAX_AGE is now 70. Takes effect after a restart.\n"
  )
  expect((await run(["settings", "set", "rate-limit-burst", "5"])).out).toBe(
    "RATE_LIMIT_BURST is now 5. Takes effect within 5 seconds.\n"
  )
  expect((await run(["settings", "unset", "cors-max-age"])).out).toBe(
    "CORS_MAX_AGE is the default again (86400). Takes effect after a restart.\n"
  )
  expect(await run(["settings", "get", "nonsense"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("There is no setting")
  })
}, 180_000)

test("a switch is shown as it is: off by default, off when it is set to off, and on when it is set to yes", async () => {
  const run = await onFreshDatabase()
  expect((await run(["settings", "list"])).out).toMatch(/^enable-embedding +off +default$/m)
  expect((await run(["settings", "set", "enable-embedding", "yes"])).out).toBe(
    "ENABLE_EMBEDDING is now on. Takes effect within 5 seconds.\n"
  )
  expect((await run(["settings", "set", "enforce-domains", "off"])).out).toStartWith("ENFORCE_DOMAINS is now off.")
  expect((await run(["settings", "get", "enforce-domains"])).out).toMatch(/^value +off$/m)
  expect((await run(["settings", "unset", "enable-embedding"])).out).toStartWith(
    "ENABLE_EMBEDDING is the default again (off)."
  )
}, 180_000)

test("the settings commands run despite an invalid value, so that they can correct it", async () => {
  const run = await onFreshDatabase()
  await run(["settings", "set", "max-batch-items", "10"])
  const wrong = await run(["settings", "list"], { SALT_ROTATION: "year" })
  expect(wrong.code).toBe(0)
  expect(wrong.out).toContain('SALT_ROTATION is "year"; it accepts `day`, `week` or `month`.')
}, 180_000)

test("a key is shown once when it is created, listed without itself, and revoked", async () => {
  const run = await onFreshDatabase()
  const created = JSON.parse((await run(["keys", "create", "--name", "ci", "--role", "viewer", "--json"])).out)
  expect(created.key).toMatch(/^ff_[\w-]{43}$/)
  const listed = (await run(["keys", "list"])).out
  expect(listed).toMatch(/ci +viewer +ff_/)
  expect(listed).not.toContain(created.key)
  const ofGroup = await run(["keys", "create", "--group", "all users", "--json"])
  expect(JSON.parse(ofGroup.out)).toMatchObject({ role: null, group_id: 1 })
  expect(await run(["keys", "create", "--group", "Marketing"])).toEqual({
    code: 2,
    out: "",
    err: 'There is no group "Marketing"; there are Administrators (2), All users (1).\n'
  })
  expect((await run(["keys", "revoke", created.id])).code).toBe(0)
  expect((await run(["keys", "revoke", created.id])).code).toBe(1)
}, 180_000)

test("a value that no process could start with is rejected, with the setting's name and what it accepts", async () => {
  const run = await onFreshDatabase()
  for (const [name, value, message] of [
    ["trust-proxy", "10.0.0.0/99", 'TRUST_PROXY is "10.0.0.0/99"; it accepts `none`, `all`, a number of hops'],
    ["IGNORE_IP", "10.0.0.1, hugo", 'IGNORE_IP is "10.0.0.1, hugo"; it accepts addresses and CIDRs'],
    ["client_ip_header", "X Real IP", 'CLIENT_IP_HEADER is "X Real IP"; it accepts a header name'],
    ["max-body", "5", "Did you mean `max-body-bytes`?"]
  ] as const) {
    expect(await run(["settings", "set", name, value])).toEqual({
      code: 1,
      out: "",
      err: expect.stringContaining(message)
    })
  }
  expect((await run(["settings", "list"])).out).not.toMatch(/table|NOTE/)
}, 180_000)
