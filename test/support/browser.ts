import { type Browser, chromium } from "playwright-core"

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

/** The browser of this machine; null when it has none. */
export const browserPath: string | null = NAMES.map((name) => Bun.which(name)).find((path) => path !== null) ?? null

/** A desktop's: a headless browser's own name is a bot's. */
export const CHROME =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"

/**
 * A headless browser to which every host name is this machine. It is called `CHROME` as a whole: what a page sends while it
 * goes away would not have a name that was given to the page alone.
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
