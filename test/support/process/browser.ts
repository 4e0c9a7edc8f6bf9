import { type Browser, chromium } from "playwright-core"

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

/** This machine's browser; null if it has none. */
export const browserPath: string | null = NAMES.map((name) => Bun.which(name)).find((path) => path !== null) ?? null

/** A desktop browser's user agent: a headless browser's own is a bot's. */
export const CHROME =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

/**
 * A headless browser that resolves every hostname to this machine. Its user agent is set for the whole browser: requests sent while a page
 * closes would not have one that was set only for the page.
 */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: browserPath!,
    // The sandbox refuses to run as root, which tests may.
    args: [
      "--host-resolver-rules=MAP * 127.0.0.1",
      `--user-agent=${CHROME}`,
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])
    ]
  })
