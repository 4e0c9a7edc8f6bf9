import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { browserPath, launchBrowser } from "../support/process/browser.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

test.skipIf(browserPath === null)(
  "the API's documentation shows every part in light and dark, wide and narrow, and requests nothing from other servers",
  async () => {
    await using full = await Footfall.start({
      entry: "full",
      environment: { DATABASE_URL: Redacted.value(await freshDatabase()) }
    })
    const browser = await launchBrowser()
    try {
      for (const [colorScheme, width] of [
        ["light", 1440],
        ["dark", 390]
      ] as const) {
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } })
        const requests: Array<string> = []
        const errors: Array<string> = []
        page.on("request", (request) => requests.push(request.url()))
        page.on("pageerror", (error) => errors.push(String(error)))
        page.on("console", (message) => message.type() === "error" && errors.push(message.text()))
        await page.goto(`${full.url}/docs`, { waitUntil: "networkidle" })
        for (const text of [
          "Create a site",
          "List rejections without a site",
          "Set a setting",
          "Revoke a key",
          "Bearer Token"
        ]) {
          await page.getByText(text).first().waitFor({ state: "attached" })
        }
        expect(await page.title()).toBe("Footfall API")
        expect(requests.filter((url) => /^https?:/.test(url))).toEqual([`${full.url}/docs`])
        expect(errors).toEqual([])
        const brightness = await page.evaluate(
          "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, each) => sum + Number(each), 0)"
        )
        if (colorScheme === "light") expect(brightness).toBeGreaterThan(600)
        else expect(brightness).toBeLessThan(150)
        expect(await page.evaluate("getComputedStyle(document.body).overflowX")).toBe("hidden")
        await page.close()
      }
    } finally {
      await browser.close()
    }
  },
  60_000
)
