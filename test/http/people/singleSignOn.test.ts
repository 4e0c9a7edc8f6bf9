import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { freePort } from "../../../bench/support/server.ts"
import { instanceKey } from "../../../src/domain/keyScope.ts"
import { ADMINISTRATORS } from "../../../src/domain/people.ts"
import { IdentityProvider } from "../../support/people/identityProvider.ts"
import {
  ADA,
  type Client,
  createAda,
  type PeopleServer,
  signIn,
  startPeopleServer
} from "../../support/people/peopleServer.ts"
import { type Lie, ScriptedProvider } from "../../support/people/scriptedProvider.ts"
import { connect } from "../../support/postgres/database.ts"
import { PASSWORD } from "../../support/postgres/peopleProcess.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const SIGN_ON = "footfall_sign_on"
const SESSION = "footfall_session"

const ada = { sub: "ada-1", email: ADA.email, email_verified: true, name: "Ada at the provider" }

/** A browser's cookies at the provider. */
type Cookies = Map<string, string>

/** Follows redirects at the provider, and submits the form of the page on which it asks whether to sign out, if it does. */
const atProvider = async (start: string, back: string, cookies: Cookies = new Map()): Promise<URL> => {
  let url = start
  let form: URLSearchParams | null = null
  for (let hops = 0; hops < 10; hops++) {
    const response: Response = await fetch(url, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form !== null && { method: "POST", body: form })
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [name = "", value = ""] = cookie.split(";", 1)[0]!.split(/=(.*)/s)
      cookies.set(name, value)
    }
    const location = response.headers.get("location")
    const body = await response.text()
    const [, action, xsrf] = /action="([^"]+)".*name="xsrf" value="([^"]+)"/s.exec(body) ?? []
    const next = location ?? action
    if (next === undefined) throw new Error(`${url} answered ${response.status}: ${body}`)
    form = location === null ? new URLSearchParams({ xsrf: xsrf!, logout: "yes" }) : null
    const following = new URL(next, url)
    if (following.href.startsWith(back)) return following
    url = following.href
  }
  throw new Error("The provider redirects without an end.")
}

let idp: IdentityProvider
let server: PeopleServer

/** Sends a browser to the provider, and returns where the provider sends it back to. */
const begin = async (browser: Client, next = "/docs", cookies?: Cookies): Promise<string> => {
  const begun = await browser.call("GET", `/auth/sso?next=${encodeURIComponent(next)}`)
  expect(begun.status).toBe(303)
  const back = await atProvider(begun.headers.get("location")!, `${server.url}/auth/sso/callback`, cookies)
  return `${back.pathname}${back.search}`
}

const signOn = async (browser: Client, next?: string, cookies?: Cookies) =>
  browser.call("GET", await begin(browser, next, cookies))

const account = async (browser: Client) => (await browser.call("GET", "/api/user/current")).body

const SETTINGS = "/api/ee/product-analytics/settings"
let operator: Client

/** Sets a setting, which applies at once in this process; null: its default. */
const setting = async (name: string, value: string | null): Promise<void> => {
  const answer = await (value === null
    ? operator.call("DELETE", `${SETTINGS}/${name}`)
    : operator.call("PUT", `${SETTINGS}/${name}`, { body: { value } }))
  expect([name, answer.status, answer.body.detail]).toEqual([name, 200, undefined])
}

beforeAll(async () => {
  server = await startPeopleServer()
  idp = await IdentityProvider.start(server.url)
  await createAda(server)
  await server.locally(({ groups }) => groups.create({ name: "Analysts" }))
  const { key } = await server.locally(({ keys }) => keys.create("operator", instanceKey("admin")))
  operator = server.program(key)
  for (const [name, value] of [
    ["oidc-issuer", idp.issuer],
    ["oidc-client-id", idp.clientId],
    ["oidc-client-secret", idp.clientSecret],
    ["oidc-name", "Acme <ID>"],
    ["oidc-scopes", "openid email profile groups"],
    ["oidc-groups-claim", "groups"],
    ["oidc-group-map", '{"it":"Administrators","staff":["Analysts"]}']
  ] as const) {
    await setting(name, value)
  }
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await idp[Symbol.asyncDispose]()
})

describe("single sign-on", () => {
  test("signs in as the user with the verified email, and is offered on the sign-in page", async () => {
    const browser = server.browser()
    const login = await browser.call("GET", "/login?next=/docs")
    expect(login.body).toContain(
      '<a class="button second" href="/auth/sso?next=%2Fdocs">Sign in with Acme &lt;ID&gt;</a>'
    )
    expect((await browser.call("GET", "/api/session/properties")).body.single_sign_on).toEqual({
      name: "Acme <ID>",
      path: "/auth/sso"
    })
    idp.signsIn = { ...ada, groups: ["it"] }
    const done = await signOn(browser, "/docs#x")
    expect([done.status, done.headers.get("location"), browser.cookie(SIGN_ON)]).toEqual([303, "/docs#x", undefined])
    expect(await account(browser)).toMatchObject({ email: ADA.email, name: ADA.name, is_superuser: true })
    const [entry] = (await browser.call("GET", "/api/audit?action=session.create&limit=1")).body.data
    expect(entry.details).toEqual({ method: "single sign-on" })
  })

  test("uses state, nonce and PKCE, and keeps them where only this instance can read them", async () => {
    const browser = server.browser()
    const begun = await browser.call("GET", "/auth/sso")
    const { searchParams } = new URL(begun.headers.get("location")!)
    expect([
      searchParams.get("response_type"),
      searchParams.get("code_challenge_method"),
      searchParams.get("scope")
    ]).toEqual(["code", "S256", "openid email profile groups"])
    for (const name of ["state", "nonce", "code_challenge"]) expect(searchParams.get(name)).toMatch(/^[\w-]{43}$/)
    const cookie = begun.headers.get("set-cookie")!
    expect(cookie).toMatch(/^footfall_sign_on=eyJ[\w.-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/)
    for (const name of ["state", "nonce"]) expect(cookie).not.toContain(searchParams.get(name)!)
  })

  test("joins and leaves the groups that the provider manages, but not as the last administrator", async () => {
    const browser = server.browser()
    idp.signsIn = { ...ada, groups: ["staff", "unknown"] }
    await signOn(browser)
    const first = await account(browser)
    expect([first.is_superuser, first.group_ids.length]).toEqual([true, 3])
    await server.locally(({ users }) =>
      users.create({ email: "b@example.com", name: "B", password: PASSWORD, groups: [ADMINISTRATORS] })
    )
    idp.signsIn = { ...ada, groups: "staff" }
    await signOn(browser)
    expect(await account(browser)).toMatchObject({ is_superuser: false, group_ids: [1, 3] })
    idp.signsIn = { ...ada, groups: ["it"] }
    await signOn(browser)
    expect(await account(browser)).toMatchObject({ is_superuser: true, group_ids: [1, 2] })
  })

  test("lets only those in who have a user, unless users are created for everyone", async () => {
    const browser = server.browser()
    const stranger = { sub: "new-1", email: "New@Example.com", email_verified: true, name: "New", groups: ["staff"] }
    idp.signsIn = stranger
    const refused = await signOn(browser)
    expect([refused.status, refused.body.includes("Ask an administrator for an invitation.")]).toEqual([403, true])
    await setting("oidc-auto-provision", "on")
    expect((await signOn(browser)).status).toBe(303)
    expect(await account(browser)).toMatchObject({ email: "new@example.com", name: "New", has_password: false })
    idp.signsIn = { ...stranger, sub: "new-2", email: "other@example.com", email_verified: false }
    expect((await signOn(server.browser())).body).toContain("has not verified this email address")
    // Somebody else at the provider must not become Ada by claiming her address.
    idp.signsIn = { ...stranger, sub: "new-3", email: ADA.email, email_verified: false }
    expect((await signOn(server.browser())).status).toBe(403)
    await setting("oidc-trust-email", "on")
    idp.signsIn = { ...stranger, sub: "new-4", email: "trusted@example.com", email_verified: false }
    expect((await signOn(server.browser())).status).toBe(303)
    await setting("oidc-trust-email", "off")
    await setting("oidc-auto-provision", "off")
  })

  test("refuses an attempt of another browser, a repeated one, and one that was changed", async () => {
    idp.signsIn = { ...ada, groups: ["it"] }
    const [victim, attacker] = [server.browser(), server.browser()]
    const callback = await begin(attacker)
    expect((await victim.call("GET", callback)).status).toBe(400)
    await begin(victim)
    expect((await victim.call("GET", callback)).status).toBe(400)
    expect(victim.cookie(SESSION)).toBeUndefined()

    const browser = server.browser()
    const own = await begin(browser)
    const attempt = browser.cookie(SIGN_ON)!
    for (const [from, to] of [
      [/code=[^&]+/, "code=wrong"],
      [/state=[^&]+/, "state=wrong"],
      [/iss=[^&]+/, "iss=http%3A%2F%2Fevil.example"]
    ] as const) {
      const changed = server.browser()
      changed.setCookie(SIGN_ON, attempt)
      expect([to, (await changed.call("GET", own.replace(from, to))).status]).toEqual([to, 400])
    }
    const forged = server.browser()
    forged.setCookie(SIGN_ON, `${attempt.slice(0, -2)}xx`)
    expect((await forged.call("GET", own)).status).toBe(400)

    const fresh = await begin(browser)
    const replayed = server.browser()
    replayed.setCookie(SIGN_ON, browser.cookie(SIGN_ON)!)
    expect((await browser.call("GET", fresh)).status).toBe(303)
    expect((await replayed.call("GET", fresh)).status).toBe(400)
    expect((await server.browser().call("GET", "/auth/sso/callback")).status).toBe(400)
  })

  test("says so when the provider refuses, does not answer or does not know the client, and the password still works", async () => {
    idp.signsIn = "refuse"
    const refused = await signOn(server.browser())
    expect([refused.status, refused.body.includes("did not let you in")]).toEqual([403, true])

    idp.signsIn = { ...ada, groups: ["it"] }
    const browser = server.browser()
    const callback = await begin(browser)
    idp.isBroken = true
    const broken = await browser.call("GET", callback)
    expect([broken.status, broken.body.includes("The identity provider does not answer.")]).toEqual([503, true])
    expect(broken.body).toContain('<a class="button second" href="/login">Sign in with a password</a>')
    idp.isBroken = false

    await setting("oidc-client-secret", "a wrong secret")
    expect((await signOn(server.browser())).status).toBe(502)
    await setting("oidc-client-secret", idp.clientSecret)

    await setting("oidc-issuer", `http://127.0.0.1:${freePort()}`)
    const gone = await server.browser().call("GET", "/auth/sso")
    expect([gone.status, gone.body.includes("The identity provider does not answer.")]).toEqual([503, true])
    await setting("oidc-issuer", `${idp.issuer}/other`)
    expect((await server.browser().call("GET", "/auth/sso")).status).toBe(503)
    await setting("oidc-issuer", null)
    expect((await server.browser().call("GET", "/auth/sso")).status).toBe(404)
    expect((await server.browser().call("GET", "/login")).body).not.toContain("/auth/sso")
    expect((await signIn(server.browser())).status).toBe(200)
    await setting("oidc-issuer", idp.issuer)
    expect((await signOn(server.browser())).status).toBe(303)
  })
})

describe("signing out", () => {
  const SESSIONS = "SELECT coalesce(string_agg(s::text, ' '), '') AS all FROM product_analytics_user_session s"

  test("also signs out at the provider, which sends the browser back, and keeps the id token sealed until then", async () => {
    idp.signsIn = { ...ada, groups: ["it"] }
    const browser = server.browser()
    const cookies: Cookies = new Map()
    await signOn(browser, "/docs", cookies)
    await using database = await connect(Redacted.value(server.database))
    const [kept] = await database.query<{ all: string }>(SESSIONS)

    const out = await browser.submit("/logout", {})
    expect([out.status, browser.cookie(SESSION)]).toEqual([200, undefined])
    expect(out.body).toContain("You are signed out of Footfall, and about to be signed out of Acme &lt;ID&gt;, too.")
    const url = new URL(out.headers.get("refresh")!.replace(/^0; url=/, ""))
    expect(url.href.startsWith(`${idp.issuer}/session/end?`)).toBe(true)
    expect([...url.searchParams.keys()]).toEqual(["client_id", "id_token_hint", "post_logout_redirect_uri", "state"])
    const idToken = url.searchParams.get("id_token_hint")!
    expect(JSON.parse(Buffer.from(idToken.split(".")[1]!, "base64url").toString()).sub).toBe(ada.sub)
    expect(kept!.all).not.toContain(idToken)
    const [left] = await database.query<{ all: string }>(SESSIONS)
    expect(left!.all.length).toBeLessThan(kept!.all.length)
    const back = await atProvider(url.href, `${server.url}/auth/sso/signed-out`, cookies)
    expect(back.searchParams.get("state")).toBe(url.searchParams.get("state"))
    const done = await browser.call("GET", `${back.pathname}${back.search}`)
    expect([done.status, done.body.includes("You are signed out of Footfall and Acme &lt;ID&gt;.")]).toEqual([
      200,
      true
    ])
    // The provider asks again who it is.
    idp.signsIn = "refuse"
    expect((await signOn(browser, "/docs", cookies)).status).toBe(403)
    for (const state of ["", "?state=made-up", `?state=${url.searchParams.get("state")!.slice(0, -2)}xx`]) {
      expect((await browser.call("GET", `/auth/sso/signed-out${state}`)).headers.get("location")).toBe("/login")
    }
  })

  test("over the API says where the browser signs out at the provider, and has nothing to say about other sessions", async () => {
    idp.signsIn = { ...ada, groups: ["it"] }
    const browser = server.browser()
    await signOn(browser)
    const out = await browser.call("DELETE", "/api/session")
    expect([out.status, new URL(out.body.sign_out_url).origin]).toEqual([200, idp.issuer])
    expect((await browser.call("GET", "/api/user/current")).status).toBe(401)
    await signIn(browser)
    expect((await browser.call("DELETE", "/api/session")).body).toEqual({ sign_out_url: null })
    expect((await browser.call("DELETE", "/api/session")).status).toBe(401)
  })

  test("ends the session here when the provider is down, was replaced, or must not be asked", async () => {
    idp.signsIn = { ...ada, groups: ["it"] }
    const signOut = async (prepare: () => Promise<void>) => {
      const browser = server.browser()
      await signOn(browser)
      const session = browser.cookie(SESSION)!
      await prepare()
      const began = performance.now()
      const out = await browser.submit("/logout", {})
      const copy = server.browser()
      copy.setCookie(SESSION, session)
      expect((await copy.call("GET", "/api/user/current")).status).toBe(401)
      expect(performance.now() - began).toBeLessThan(5_000)
      return [out.status, out.headers.get("location")]
    }
    expect(await signOut(() => setting("oidc-sign-out", "off"))).toEqual([303, "/login"])
    await setting("oidc-sign-out", null)
    expect(await signOut(() => setting("oidc-client-id", "another"))).toEqual([303, "/login"])
    await setting("oidc-client-id", idp.clientId)
    // A provider that accepts connections and says nothing.
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } })
    expect(await signOut(() => setting("oidc-issuer", `http://127.0.0.1:${silent.port}`))).toEqual([303, "/login"])
    await setting("oidc-issuer", idp.issuer)
  })
})

describe("passwords that are turned off", () => {
  const password = Redacted.value(PASSWORD)

  test("sign no one in, neither do invitations, and the sign-in page shows only what works", async () => {
    const invited = await operator.call("POST", "/api/user", { body: { email: "c@example.com", name: "C" } })
    const link = new URL(invited.body.link.url)
    const token = link.searchParams.get("token")!
    await setting("enable-password-login", "off")
    idp.signsIn = { ...ada, groups: ["it"] }
    const browser = server.browser()
    const login = await browser.call("GET", "/login")
    expect([login.body.includes('name="password"'), login.body.includes("Sign in with Acme &lt;ID&gt;</a>")]).toEqual([
      false,
      true
    ])
    expect((await browser.call("GET", "/api/session/properties")).body.enable_password_login).toBe(false)
    const detail = "Signing in with passwords is turned off here. Sign in with Acme <ID>."
    const refused = await signIn(browser)
    expect([refused.status, refused.body.detail]).toEqual([403, detail])
    expect((await browser.submit("/login", { email: ADA.email, password })).status).toBe(403)

    expect((await browser.call("GET", `${link.pathname}${link.search}`)).status).toBe(403)
    const valid = `/api/session/password_reset_token_valid?token=${token}`
    expect((await browser.call("GET", valid)).body).toEqual({ valid: false, kind: null, email: null })
    const followed = await browser.call("POST", "/api/session/reset_password", { body: { token, password } })
    expect([followed.status, followed.body.detail]).toEqual([403, detail])
    const another = await operator.call("POST", "/api/user", { body: { email: "d@example.com", name: "D" } })
    expect([another.status, another.body.link]).toEqual([200, null])
    const renewed = await operator.call("POST", `/api/user/${another.body.user.id}/link`)
    expect([renewed.status, renewed.body.detail]).toEqual([
      409,
      "Users sign in with single sign-on only, so a link to set a password would not work. Turn ENABLE_PASSWORD_LOGIN on first."
    ])

    expect((await signOn(browser)).status).toBe(303)
    const change = { old_password: password, password: "another staple for it" }
    expect((await browser.call("PUT", "/api/user/current/password", { body: change })).status).toBe(403)
    const unset = await operator.call("DELETE", `${SETTINGS}/oidc-issuer`)
    expect([unset.status, unset.body.detail]).toEqual([
      409,
      "ENABLE_PASSWORD_LOGIN is off, which requires OIDC_ISSUER and OIDC_CLIENT_ID: without them, no one could sign in. Set both, or turn ENABLE_PASSWORD_LOGIN on."
    ])
    const failed = await server.browser().call("GET", "/auth/sso/callback")
    expect([failed.status, failed.body.includes("Sign in with a password")]).toEqual([400, false])

    await setting("enable-password-login", null)
    expect((await browser.call("GET", valid)).body.valid).toBe(true)
    expect((await signIn(server.browser())).status).toBe(200)
  })

  test("do not keep the first administrator out, and need an identity provider", async () => {
    await expect(startPeopleServer({ ENABLE_PASSWORD_LOGIN: "off" })).rejects.toThrow(
      "requires OIDC_ISSUER and OIDC_CLIENT_ID"
    )
    await using fresh = await startPeopleServer({
      ENABLE_PASSWORD_LOGIN: "off",
      OIDC_ISSUER: idp.issuer,
      OIDC_CLIENT_ID: idp.clientId
    })
    const token = await fresh.locally(({ setup }) => setup.createToken)
    const browser = fresh.browser()
    const done = await browser.call("POST", "/api/setup", { body: { token, ...ADA, password } })
    expect([done.status, await account(browser)]).toMatchObject([200, { is_superuser: true }])
  })
})

describe("a token of the provider", () => {
  const now = () => Math.floor(Date.now() / 1_000)
  const cases: ReadonlyArray<readonly [string, () => Lie, number]> = [
    ["that is right", () => ({}), 303],
    ["that has just expired, within the allowed skew", () => ({ claims: { exp: now() - 30 } }), 303],
    ["from a clock that is a bit ahead", () => ({ claims: { iat: now() + 30, nbf: now() + 30 } }), 303],
    ["that has expired", () => ({ claims: { exp: now() - 90 } }), 400],
    ["that is not valid yet", () => ({ claims: { nbf: now() + 90 } }), 400],
    ["of another attempt", () => ({ claims: { nonce: "another" } }), 400],
    ["for another client", () => ({ claims: { aud: "another" } }), 400],
    ["of another issuer", () => ({ claims: { iss: "https://evil.example" } }), 400],
    ["that somebody else signed", () => ({ otherKey: true }), 400],
    ["without a signature", () => ({ isUnsigned: true }), 400]
  ]

  test("is checked: signature, issuer, client, nonce and times, within the allowed skew", async () => {
    await using scripted = await ScriptedProvider.start()
    await setting("oidc-issuer", scripted.issuer)
    await setting("oidc-groups-claim", null)
    for (const [what, lie, status] of cases) {
      scripted.lie = lie()
      const browser = server.browser()
      const begun = await browser.call("GET", "/auth/sso")
      const back = await atProvider(begun.headers.get("location")!, `${server.url}/auth/sso/callback`)
      const answer = await browser.call("GET", `${back.pathname}${back.search}`)
      expect([what, answer.status, browser.cookie(SESSION) !== undefined]).toEqual([what, status, status === 303])
      // This provider has no address for signing out.
      expect((await browser.submit("/logout", {})).headers.get("location")).toBe("/login")
    }
  })
})
