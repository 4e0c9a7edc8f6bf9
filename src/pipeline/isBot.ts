import { isbot } from "isbot"

/** User agents that `isbot` takes for bots although their events count, each with the reason. */
const NOT_BOTS: ReadonlyArray<readonly [pattern: RegExp, reason: string]> = [
  [/^Mozilla\/5\.0 \(Server\)$/, "Umami's documentation recommends it for server-side events"]
]

/** User agents that `isbot` takes for people although their events do not count, each with the reason. */
const BOTS: ReadonlyArray<readonly [pattern: RegExp, reason: string]> = [
  [/\b(?:puppeteer|webdriver(?:io)?|testcafe)\b/i, "test automation that names itself in a browser's user agent"]
]

const matches = (rules: typeof BOTS, userAgent: string): boolean => rules.some(([pattern]) => pattern.test(userAgent))

/** Whether a user agent is a bot's: `isbot` decides, with a few exceptions of our own in both directions. */
export const isBot = (userAgent: string): boolean =>
  !matches(NOT_BOTS, userAgent) && (isbot(userAgent) || matches(BOTS, userAgent))
