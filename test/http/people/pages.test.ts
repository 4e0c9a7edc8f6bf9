import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { until } from "../../support/eventually.ts"
import {
  ADA,
  createAda,
  type PeopleServer,
  serveDatabase,
  signIn,
  startPeopleServer
} from "../../support/people/peopleServer.ts"
import { connect } from "../../support/postgres/database.ts"
import { PASSWORD } from "../../support/postgres/peopleProcess.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const COOKIE = "footfall_session"
const password = Redacted.value(PASSWORD)

const setupFields = (token: string, fields: Readonly<Record<string, string>> = {}) => ({
  token,
  name: ADA.name,
  email: ADA.email,
  password,
  instance_name: "Acme & Co",
  timezone: "Europe/Berlin",
  ...fields
})

const newToken = async (server: PeopleServer): Promise<string> =>
  (await server.locally(({ setup }) => setup.createToken)) ?? ""

describe("the setup page", () => {
  test("creates the first administrator without scripts, signs them in, and is closed from then on", async () => {
    await using server = await startPeopleServer()
    const token = await newToken(server)
    const browser = server.browser()
    const form = await browser.call("GET", `/setup?token=${token}`)
    expect([form.status, form.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"])
    expect(form.body).toContain(`<input type="hidden" name="token" value="${token}">`)
    expect(form.body).not.toContain("<script")
    const done = await browser.submit("/setup", setupFields(token))
    expect([done.status, done.headers.get("location")]).toEqual([303, "/"])
    expect((await browser.call("GET", "/api/user/current")).body).toMatchObject({
      email: ADA.email,
      is_superuser: true
    })
    const { body: properties } = await browser.call("GET", "/api/session/properties")
    expect(properties).toMatchObject({ has_user_setup: true, license: "open" })
    const again = server.browser()
    expect((await again.submit("/setup", setupFields(token))).status).toBe(403)
    expect((await again.call("GET", `/setup?token=${token}`)).body).toContain("Setup is done")
    await until("the instance's name is known", async () =>
      (await again.call("GET", "/login")).body.includes("Sign in – Acme &amp; Co")
    )
  })

  test("shows every invalid value again with its reason, except for the password", async () => {
    await using server = await startPeopleServer()
    const token = await newToken(server)
    const answer = await server
      .browser()
      .submit(
        "/setup",
        setupFields(token, { email: '"><script>alert(1)</script>', password: "short", timezone: "Mars" })
      )
    expect(answer.status).toBe(422)
    expect(answer.body).toContain('role="alert"')
    for (const name of ["email", "password", "timezone"]) {
      expect(answer.body).toMatch(
        new RegExp(`name="${name}"[^>]* aria-invalid="true" aria-describedby="${name}-problem`)
      )
      expect(answer.body).toContain(`<a href="#${name}">`)
    }
    const listed = await server
      .browser()
      .submit("/setup", setupFields(token, { email: "x", name: " ", instance_name: " " }))
    expect([...String(listed.body).matchAll(/<li><a href="#(\w+)">([^<]*)/g)].map(([, ...found]) => found)).toEqual([
      ["name", "The name must not be blank."],
      ["email", expect.any(String)],
      ["instance_name", "The instance&#39;s name must not be blank."]
    ])
    expect(answer.body).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"')
    expect(answer.body).not.toContain("short")
    expect((await server.browser().submit("/setup", setupFields(token))).status).toBe(303)
  })

  test("needs the link, and says how to get one", async () => {
    await using server = await startPeopleServer()
    for (const path of ["/setup", "/setup?token=wrong", `/setup?token=${"x".repeat(5_000)}`]) {
      const answer = await server.browser().call("GET", path)
      expect([answer.status, answer.body.includes("bun run full")]).toEqual([403, true])
    }
    expect((await server.browser().submit("/setup", setupFields("wrong"))).status).toBe(403)
    expect((await server.browser().submit("/setup", {})).status).toBe(403)
  })

  test("creates one administrator when it is submitted twice at the same time", async () => {
    await using server = await startPeopleServer()
    await using other = await serveDatabase(server.database)
    const token = await newToken(server)
    const answers = await Promise.all([
      server.browser().submit("/setup", setupFields(token)),
      other.browser().submit("/setup", setupFields(token, { email: "eve@example.com" })),
      server.program().call("POST", "/api/setup", { body: { token, email: "m@example.com", name: "M", password } }),
      other.program().call("POST", "/api/setup", { body: { token, email: "n@example.com", name: "N", password } })
    ])
    const isDone = ({ status }: { readonly status: number }) => status === 303 || status === 200
    expect(answers.filter(isDone)).toHaveLength(1)
    expect(answers.filter((answer) => !isDone(answer)).map(({ status }) => status)).toEqual([403, 403, 403])
    const users = await server.locally((people) => people.users.list({ status: "all", limit: 10, offset: 0 }))
    expect(users.total).toBe(1)
  })
})

test("without an administrator, the sign-in page and the API say how to create one, and name no administrator to ask", async () => {
  await using server = await startPeopleServer()
  const failed = async () => {
    const page = await server.browser().submit("/login", { email: ADA.email, password: "wrong password" })
    const api = await server
      .program()
      .call("POST", "/api/session", { body: { username: ADA.email, password: "wrong password" } })
    expect([page.status, api.status]).toEqual([401, 401])
    expect(page.body).toContain("There is no user with this email and password.")
    expect(page.body).not.toContain("An administrator can give you a link")
    return api.body.detail
  }
  const create = '`bun run footfall users create --email ada@example.com --name "Ada Lovelace" --admin`.'
  expect(await failed()).toBe(
    `There is no user with this email and password. This instance has no administrator. Open the link that \`bun run full\` prints when it starts, or create one: ${create}`
  )
  await createAda(server)
  await using database = await connect(Redacted.value(server.database))
  await database.query("DELETE FROM product_analytics_membership WHERE group_id = 2")
  expect(await failed()).toBe(
    `There is no user with this email and password. This instance has no administrator. Create one: ${create}`
  )
})

describe("on an instance with a user", () => {
  let server: PeopleServer

  beforeAll(async () => {
    server = await startPeopleServer()
    await createAda(server)
  })

  afterAll(() => server[Symbol.asyncDispose]())

  test("the sign-in page signs in, says who is signed in, and signs out", async () => {
    const browser = server.browser()
    expect((await browser.call("GET", "/login")).body).toContain('autocomplete="current-password"')
    const wrong = await browser.submit("/login", { email: ADA.email, password: "wrong password" })
    expect([wrong.status, wrong.body.includes("There is no user with this email and password.")]).toEqual([401, true])
    expect(wrong.body).toContain(`value="${ADA.email}"`)
    const right = await browser.submit("/login", { email: ADA.email, password, next: "/docs?x=1#y" })
    expect([right.status, right.headers.get("location")]).toEqual([303, "/docs?x=1#y"])
    expect((await browser.call("GET", "/login")).body).toContain(`You are signed in as ${ADA.name}.`)
    const out = await browser.submit("/logout", {})
    expect([out.status, out.headers.get("location"), browser.cookie(COOKIE)]).toEqual([303, "/login", undefined])
    expect((await browser.call("GET", "/login")).body).toContain('name="password"')
  })

  test("the sign-in page does not lead to other servers", async () => {
    for (const next of [
      "https://evil.example",
      "//evil.example",
      "/\\evil.example",
      "javascript:alert(1)",
      "/\u0000",
      ""
    ]) {
      const answer = await server.browser().submit("/login", { email: ADA.email, password, next })
      expect([next, answer.headers.get("location")]).toEqual([next, "/"])
    }
  })

  test("a form of another site, or one that is not a form, is refused", async () => {
    const fields = { email: ADA.email, password }
    for (const headers of [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "https://evil.example" },
      { origin: "null" }
    ]) {
      const client = server.program()
      const answer = await client.submit("/login", fields, headers)
      expect([headers, answer.status, client.cookie(COOKIE)]).toEqual([headers, 403, undefined])
    }
    const json = await server.browser().call("POST", "/login", { body: fields })
    expect(json.status).toBe(415)
    expect((await server.browser().call("PUT", "/login", { body: fields })).status).toBe(405)
  })

  test("an invitation lets the user choose a password, once, and a reset another one", async () => {
    const admin = server.browser()
    await signIn(admin)
    const { body: invited } = await admin.call("POST", "/api/user", {
      body: { email: "bob@example.com", name: "Bob <b>" }
    })
    expect([invited.link.kind, invited.user.has_password]).toEqual(["invitation", false])
    const link = new URL(invited.link.url)
    expect(link.origin).toBe(server.url)
    const browser = server.browser()
    const form = await browser.call("GET", `${link.pathname}${link.search}`)
    expect(form.body).toContain("Bob &lt;b&gt;, choose a password for <strong>bob@example.com</strong>.")
    const token = link.searchParams.get("token")!
    const valid = await browser.call("GET", `/api/session/password_reset_token_valid?token=${token}`)
    expect(valid.body).toEqual({ valid: true, kind: "invitation", email: "bob@example.com" })
    const weak = await browser.submit("/invitation", { token, password: "password123" })
    expect([weak.status, weak.body.includes("one of the first that attackers try")]).toEqual([422, true])
    expect((await browser.submit("/invitation", { token, password: "a fine long password" })).status).toBe(303)
    expect((await browser.call("GET", "/api/user/current")).body).toMatchObject({ name: "Bob <b>", has_password: true })
    expect((await browser.submit("/invitation", { token, password: "a fine long password" })).status).toBe(403)
    expect((await browser.call("GET", `/invitation?token=${token}`)).status).toBe(403)

    const { body: reset } = await admin.call("POST", `/api/user/${invited.user.id}/link`)
    expect([reset.kind, new URL(reset.url).pathname]).toEqual(["reset", "/reset-password"])
    const answer = await server.program().call("POST", "/api/session/reset_password", {
      body: { token: new URL(reset.url).searchParams.get("token"), password: "another long password" }
    })
    expect(answer.status).toBe(200)
    expect((await browser.call("GET", "/api/user/current")).status).toBe(401)
    expect((await signIn(server.browser(), "bob@example.com", "a fine long password")).status).toBe(401)
    expect((await signIn(server.browser(), "bob@example.com", "another long password")).status).toBe(200)
  })

  test("pages have no scripts, may not be framed, and send their forms only here", async () => {
    const { headers } = await server.browser().call("GET", "/login")
    expect(headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/
    )
    expect([headers.get("x-frame-options"), headers.get("cache-control"), headers.get("referrer-policy")]).toEqual([
      "DENY",
      "no-store",
      "same-origin"
    ])
  })

  test("below a path, forms and redirects stay below it", async () => {
    await using below = await serveDatabase(server.database, { BASE_PATH: "/stats" })
    const browser = below.browser()
    expect((await browser.call("GET", "/stats/login")).body).toContain('action="/stats/login"')
    const answer = await browser.submit("/stats/login", { email: ADA.email, password })
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/stats/"])
    expect((await browser.call("GET", "/login")).status).toBe(404)
  })
})
