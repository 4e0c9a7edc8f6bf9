import { expect, test } from "bun:test"
import { isBot } from "../../src/pipeline/isBot.ts"

test.each([
  ["Umami's documented agent for server-side events", "Mozilla/5.0 (Server)"],
  ["@umami/node", "Mozilla/5.0 Umami/v20.11.0"],
  [
    "an LG TV with HbbTV",
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 Safari/537.36 HbbTV/1.6.1 (+DRM; LGE/SILICONPLAYER/Hyundai; 50HYN3205; WEBOS22 04.42.26; W22_K8LP; DTV_C22P;)"
  ],
  [
    "the in-app browser of Gemini",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 GoogleWv/1.0 (WKWebView) GeminiiOS/1.2026.2270600"
  ],
  [
    "the in-app browser of ChatGPT",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 ChatGPT/1.2025.180"
  ]
])("%s is not a bot", (_, userAgent) => {
  expect(isBot(userAgent)).toBe(false)
})

const CHROME =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"

test.each(["Playwright/1.40.0", "Selenium/4.1", "Cypress/13.6", "Puppeteer", "WebdriverIO/9"])(
  "a browser that names %s is a bot",
  (name) => {
    expect(isBot(`${CHROME} ${name}`)).toBe(true)
    expect(isBot(CHROME)).toBe(false)
  }
)

test("a server-side agent that only contains the documented one is judged like any other", () => {
  expect(isBot("Mozilla/5.0 (Server) curl/8.0")).toBe(true)
})
