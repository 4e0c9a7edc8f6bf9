import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect, Redacted } from "effect"
import { until } from "../../support/eventually.ts"
import { ADA, createAda, signIn, startPeopleServer } from "../../support/people/peopleServer.ts"
import { connect } from "../../support/postgres/database.ts"
import { PASSWORD } from "../../support/postgres/peopleProcess.ts"
import { testServer } from "../../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

const password = Redacted.value(PASSWORD)

/** Ends all connections to a database, and lets none in, or lets them in again. */
const refuseConnections = async (database: Redacted.Redacted<string>, refuses: boolean): Promise<void> => {
  const name = new URL(Redacted.value(database)).pathname.slice(1)
  const { admin } = await testServer()
  await Effect.runPromise(admin.unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${!refuses}`))
  await Effect.runPromise(
    admin.unsafe("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [name])
  )
}

test("while the database is unreachable, signing in and changes get 503 instead of waiting, and work again afterward", async () => {
  await using server = await startPeopleServer()
  await createAda(server)
  const [browser, ended] = [server.browser(), server.browser()]
  await signIn(browser)
  await signIn(ended)

  await refuseConnections(server.database, true)
  const begin = performance.now()
  const answers = await Promise.all([
    signIn(server.browser()),
    server.browser().submit("/login", { email: ADA.email, password }),
    server.browser().call("GET", "/setup?token=x"),
    server.browser().call("POST", "/api/setup", { body: { token: "x", email: "x@y.z", name: "X", password } }),
    server.program("ff_unknown").call("GET", "/api/user")
  ])
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
  expect(answers[0]?.body.detail).toBe("The app database can't be reached.")
  expect(answers[1]?.body).toContain("The app database can&#39;t be reached.")
  expect(performance.now() - begin).toBeLessThan(30_000)

  await refuseConnections(server.database, false)
  await until("signing in works again", async () => (await signIn(ended)).status === 200, 20_000)
  await until("sessions are still valid", async () => (await browser.call("GET", "/api/user/current")).status === 200)
})

test("a change that cannot be recorded in the audit log does not happen", async () => {
  await using server = await startPeopleServer()
  await createAda(server)
  const browser = server.browser()
  await signIn(browser)
  await using database = await connect(Redacted.value(server.database))
  await database.query(
    "ALTER TABLE product_analytics_audit ADD CONSTRAINT none CHECK (action NOT LIKE '%.create') NOT VALID"
  )
  const site = "/api/ee/product-analytics/sites"
  for (const [path, body] of [
    ["/api/permissions/group", { name: "Analysts" }],
    ["/api/user", { email: "bob@example.com", name: "Bob", password }],
    ["/api/ee/product-analytics/keys", { name: "ci" }],
    [site, { name: "Shop" }]
  ] as const) {
    expect([path, (await browser.call("POST", path, { body })).status]).toEqual([path, 503])
  }
  expect((await browser.call("GET", "/api/permissions/group")).body).toHaveLength(2)
  expect((await browser.call("GET", "/api/user?status=all")).body.total).toBe(1)
  expect((await browser.call("GET", "/api/ee/product-analytics/keys")).body).toEqual([])
  expect((await browser.call("GET", site)).body).toEqual([])
  expect((await signIn(server.browser())).status).toBe(503)
})
