import { expect, setDefaultTimeout, test } from "bun:test"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { createAda, signIn, startPeopleServer } from "../../support/people/peopleServer.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const makeLicenses = async () => {
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true })
  const license = (seconds: number, features = ["product-analytics"]) =>
    new SignJWT({ features, exp: Math.floor(Date.now() / 1_000) + seconds })
      .setProtectedHeader({ alg: "EdDSA" })
      .sign(privateKey)
  return {
    license,
    environment: { FEATURE_GATE: "token", LICENSE_PUBLIC_KEY: JSON.stringify(await exportJWK(publicKey)) }
  }
}

test("without a license, only signing in, the account, setup, the license and pages work, and setting one opens the rest", async () => {
  const { environment, license } = await makeLicenses()
  await using server = await startPeopleServer(environment)
  await createAda(server)
  const browser = server.browser()
  expect((await browser.call("GET", "/api/user/current")).status).toBe(401)
  expect((await browser.call("GET", "/login")).status).toBe(200)
  expect((await signIn(browser)).status).toBe(200)
  for (const [path, status] of [
    ["/api/user/current", 200],
    ["/api/session", 200],
    ["/api/session/properties", 200],
    ["/api/license", 200],
    ["/docs", 200],
    ["/openapi.json", 200],
    ["/api/user", 402],
    ["/api/audit", 402],
    ["/api/permissions/group", 402],
    ["/api/collection/graph", 402],
    ["/api/ee/product-analytics/sites", 402],
    ["/api/ee/product-analytics/nothing", 402]
  ] as const) {
    expect([path, (await browser.call("GET", path)).status]).toEqual([path, status])
  }
  expect((await browser.call("GET", "/api/session/properties")).body.license).toBe("off")
  expect((await browser.call("GET", "/api/license")).body).toEqual({
    state: "off",
    expires_at: null,
    why: "no license token is set; set LICENSE_TOKEN",
    source: "default"
  })
  for (const [token, why] of [
    ["not a token", "the license token is not a JWT"],
    [await license(-10), "expired"],
    [await license(100, ["other"]), "does not include the feature"],
    [await (await makeLicenses()).license(100), "was not signed with the key"]
  ] as const) {
    const answer = await browser.call("PUT", "/api/license", { body: { token } })
    expect([answer.status, answer.body.errors?.[0]?.pointer]).toEqual([422, "#/token"])
    expect(answer.body.detail).toContain(why)
  }
  const set = await browser.call("PUT", "/api/license", { body: { token: ` ${await license(1_000)}\n` } })
  expect([set.status, set.body.state, set.body.source, set.body.why]).toEqual([200, "licensed", "table", null])
  expect((await browser.call("GET", "/api/user")).status).toBe(200)
  const entries = (await browser.call("GET", "/api/audit?limit=1")).body.data
  expect(entries).toMatchObject([{ action: "setting.set", details: { value: "•••" } }])
  expect((await browser.call("PUT", "/api/license", { body: { token: null } })).body.state).toBe("off")
  expect((await browser.call("GET", "/api/user")).status).toBe(402)
})

test("a license of the environment cannot be changed here, and without the requirement everything is open", async () => {
  const { environment, license } = await makeLicenses()
  const LICENSE_TOKEN = await license(1_000)
  await using licensed = await startPeopleServer({ ...environment, LICENSE_TOKEN })
  await createAda(licensed)
  const browser = licensed.browser()
  await signIn(browser)
  expect((await browser.call("GET", "/api/license")).body).toMatchObject({ state: "licensed", source: "environment" })
  expect((await browser.call("PUT", "/api/license", { body: { token: await license(500) } })).status).toBe(409)

  await using open = await startPeopleServer()
  await createAda(open)
  const other = open.browser()
  await signIn(other)
  expect((await other.call("GET", "/api/license")).body).toMatchObject({ state: "open", expires_at: null })
})
