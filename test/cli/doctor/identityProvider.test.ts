import { expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { freePort } from "../../../bench/support/server.ts"
import { IdentityProvider } from "../../support/people/identityProvider.ts"
import { prepareInstance } from "../../support/postgres/database.ts"
import { freshDatabase } from "../../support/postgres/postgres.ts"
import { footfall } from "../support.ts"

setDefaultTimeout(180_000)

test("doctor says whether users can sign in with the identity provider, and fails only if they cannot use passwords", async () => {
  const instance = await prepareInstance(Redacted.value(await freshDatabase()))
  /** The exit code, and what the report says of the provider. */
  const doctor = async (environment: Readonly<Record<string, string>>) => {
    const args = ["doctor", "--json", "--url", "http://localhost:1"]
    const { code, out } = await footfall(args, { ...instance, OIDC_CLIENT_ID: "footfall", ...environment })
    expect(out).not.toContain("a secret of the client")
    const { checks } = JSON.parse(out) as { readonly checks: ReadonlyArray<Record<string, string>> }
    return [code, ...checks.filter((check) => check["found"]?.includes("identity provider"))]
  }
  const hint = "Check OIDC_ISSUER, and that this machine can reach the provider."
  const withPasswords = `${hint} Meanwhile, users can sign in only with passwords.`
  const withoutPasswords = `${hint} Meanwhile, no one can sign in, unless you turn ENABLE_PASSWORD_LOGIN on.`
  const about = "people"

  expect(await doctor({})).toEqual([
    0,
    {
      about,
      state: "note",
      found: "OIDC_CLIENT_ID is set but OIDC_ISSUER is not, so users can't sign in with the identity provider",
      hint: "Set OIDC_ISSUER, or unset OIDC_CLIENT_ID."
    }
  ])
  await using idp = await IdentityProvider.start("http://localhost:1")
  const OIDC_ISSUER = idp.issuer
  expect(await doctor({ OIDC_ISSUER, OIDC_CLIENT_SECRET: idp.clientSecret, ENABLE_PASSWORD_LOGIN: "off" })).toEqual([
    0,
    { about, state: "ok", found: `the identity provider ${OIDC_ISSUER} is reachable` }
  ])

  idp.isBroken = true
  const broken = `the identity provider ${OIDC_ISSUER} can't be used: ${OIDC_ISSUER}/.well-known/openid-configuration responds with 500`
  expect(await doctor({ OIDC_ISSUER })).toEqual([0, { about, state: "note", found: broken, hint: withPasswords }])
  idp.isBroken = false

  const another = OIDC_ISSUER.replace("127.0.0.1", "localhost")
  const found = `the identity provider ${another} can't be used: it says that its issuer is "${OIDC_ISSUER}"`
  expect(await doctor({ OIDC_ISSUER: another })).toEqual([0, { about, state: "note", found, hint: withPasswords }])

  const gone = `http://127.0.0.1:${freePort()}`
  const unreachable = `the identity provider ${gone} can't be used: nothing listens there`
  expect(await doctor({ OIDC_ISSUER: gone })).toEqual([
    0,
    { about, state: "note", found: unreachable, hint: withPasswords }
  ])
  expect(await doctor({ OIDC_ISSUER: gone, ENABLE_PASSWORD_LOGIN: "off" })).toEqual([
    1,
    { about, state: "bad", found: unreachable, hint: withoutPasswords }
  ])

  // A provider that accepts connections and says nothing.
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
  expect(await doctor({ OIDC_ISSUER: `http://127.0.0.1:${silent.port}` })).toEqual([
    0,
    {
      about,
      state: "note",
      found: `the identity provider http://127.0.0.1:${silent.port} can't be used: it did not answer within 5 seconds`,
      hint: withPasswords
    }
  ])
})
