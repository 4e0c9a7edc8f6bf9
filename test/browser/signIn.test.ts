import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import type { Browser, Page } from "playwright-core"
import { instanceKey } from "../../src/domain/keyScope.ts"
import { notTested } from "../support/notTested.ts"
import { IdentityProvider } from "../support/people/identityProvider.ts"
import { ADA, type PeopleServer, startPeopleServer } from "../support/people/peopleServer.ts"
import { PASSWORD } from "../support/postgres/peopleProcess.ts"
import { browserPath, launchBrowser } from "../support/process/browser.ts"

// The first test waits for the server and the browser to start.
setDefaultTimeout(180_000)

if (browserPath === null) notTested("Signing in with a browser: Chromium is not installed.")

let server: PeopleServer
let browser: Browser

beforeAll(async () => {
  if (browserPath === null) return
  server = await startPeopleServer()
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.close()
  await server?.[Symbol.asyncDispose]()
})

/** A page in a browser of its own, without scripts. */
const newPage = async (colorScheme: "light" | "dark" = "light"): Promise<Page> =>
  (await browser.newContext({ javaScriptEnabled: false, colorScheme })).newPage()

const password = Redacted.value(PASSWORD)

test.skipIf(browserPath === null)(
  "a browser without scripts sets the instance up, signs out and signs in again",
  async () => {
    const token = await server.locally(({ setup }) => setup.createToken)
    const page = await newPage()
    const problems: Array<string> = []
    page.on("console", (line) => problems.push(line.text()))
    await page.goto(`${server.url}/setup?token=${token}`)
    await page.getByLabel("Your name").fill(ADA.name)
    await page.getByLabel("Email").fill(ADA.email)
    await page.getByLabel("Password").fill("password123")
    await page.getByRole("button").click()
    expect(await page.getByRole("alert").textContent()).toContain("one of the first that attackers try")
    expect(await page.getByLabel("Your name").inputValue()).toBe(ADA.name)
    expect(await page.getByLabel("Password").getAttribute("aria-invalid")).toBe("true")
    await page.getByLabel("Password").fill(password)
    await page.getByLabel("Time zone").selectOption("Europe/Berlin")
    await page.getByRole("button").click()
    await page.goto(`${server.url}/login`)
    expect(await page.getByRole("heading").textContent()).toBe("You are signed in")
    await page.getByRole("button", { name: "Sign out" }).click()
    expect(await page.getByRole("heading").textContent()).toBe("Sign in")
    await page.getByLabel("Email").fill(ADA.email)
    await page.getByLabel("Password").fill(password)
    await page.getByRole("button").click()
    const [cookie] = await page.context().cookies()
    expect(cookie).toMatchObject({ name: "footfall_session", httpOnly: true, sameSite: "Lax", path: "/" })
    // The page's own policy would report whatever it does not allow.
    expect(problems.filter((text) => text.includes("Content Security Policy"))).toEqual([])
  }
)

test.skipIf(browserPath === null)(
  "a page of another site cannot change anything with the session of its visitor, nor sign the visitor in",
  async () => {
    const page = await newPage()
    await page.goto(`${server.url}/login`)
    await page.getByLabel("Email").fill(ADA.email)
    await page.getByLabel("Password").fill(password)
    await page.getByRole("button").click()
    const before = await page.context().cookies()
    using evil = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response(
          `<form method="post" action="${server.url}/logout"><button>Win a prize</button></form>
         <form method="post" action="${server.url}/login"><input name="email" value="${ADA.email}">
         <input name="password" value="${password}"><button>Win another</button></form>`,
          { headers: { "content-type": "text/html" } }
        )
    })
    // Another host than the server's, so another site.
    const address = `http://evil.example:${evil.port}`
    for (const name of ["Win a prize", "Win another"]) {
      await page.goto(address)
      const answered = page.waitForResponse((response) => response.request().method() === "POST")
      await page.getByRole("button", { name }).click()
      expect([name, (await answered).status()]).toEqual([name, 403])
    }
    expect(await page.context().cookies(server.url)).toEqual(before)
    await page.goto(`${server.url}/login`)
    expect(await page.getByRole("heading").textContent()).toBe("You are signed in")
  }
)

test.skipIf(browserPath === null)(
  "the pages have enough contrast in light and dark, and fit a narrow screen",
  async () => {
    for (const scheme of ["light", "dark"] as const) {
      const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 320, height: 640 } })
      const page = await context.newPage()
      await page.goto(`${server.url}/login`)
      const width = await page.evaluate("document.documentElement.scrollWidth")
      expect(width).toBe(320)
      const contrasts = (await page.evaluate(CONTRASTS)) as ReadonlyArray<readonly [string, number]>
      expect(contrasts.length).toBeGreaterThan(5)
      expect(contrasts.filter(([, contrast]) => contrast < 4.5)).toEqual([])
      await context.close()
    }
  }
)

test.skipIf(browserPath === null)(
  "a browser without scripts signs in at an identity provider, and out at both with the button of this server",
  async () => {
    await using idp = await IdentityProvider.start(server.url)
    idp.signsIn = { sub: "ada-1", email: ADA.email, email_verified: true, name: ADA.name }
    const { key } = await server.locally(({ keys }) => keys.create("operator", instanceKey("admin")))
    for (const [name, value] of [
      ["oidc-issuer", idp.issuer],
      ["oidc-client-id", idp.clientId],
      ["oidc-client-secret", idp.clientSecret],
      ["oidc-name", "Acme"]
    ] as const) {
      const set = server.program(key).call("PUT", `/api/ee/product-analytics/settings/${name}`, { body: { value } })
      expect((await set).status).toBe(200)
    }
    const page = await newPage()
    await page.goto(`${server.url}/login?next=/login`)
    await page.getByRole("link", { name: "Sign in with Acme" }).click()
    expect(await page.getByRole("heading").textContent()).toBe("You are signed in")
    await page.getByRole("button", { name: "Sign out" }).click()
    await page.waitForURL(`${idp.issuer}/**`)
    await page.getByRole("button", { name: "Yes, sign me out" }).click()
    await page.waitForURL(`${server.url}/auth/sso/signed-out?**`)
    expect(await page.getByRole("main").textContent()).toContain("You are signed out of Footfall and Acme.")
    await page.getByRole("link", { name: "Sign in again" }).click()
    expect(await page.getByRole("heading").textContent()).toBe("Sign in")
  }
)

/** The contrast of each text with what is behind it (WCAG 2.2, success criterion 1.4.3). */
const CONTRASTS = `(() => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number)
  const luminance = (color) => {
    const [r, g, b] = rgb(color).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const background = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor
      if (rgb(color)[3] !== 0) return color
    }
    return "rgb(255, 255, 255)"
  }
  return [...document.querySelectorAll("p, h1, label, button, input:not([type=hidden])")].map((element) => {
    const [light, dark] = [getComputedStyle(element).color, background(element)].map(luminance).sort((a, b) => b - a)
    return [element.tagName + " " + element.textContent.trim(), (light + 0.05) / (dark + 0.05)]
  })
})()`
