import { expect, setDefaultTimeout, test } from "bun:test"
import { Redacted } from "effect"
import { SITE } from "../../support/collect/collect.ts"
import { prepareInstance } from "../../support/postgres/database.ts"
import { freshDatabase } from "../../support/postgres/postgres.ts"
import { Footfall } from "../../support/process/footfallProcess.ts"
import { footfall } from "../support.ts"

setDefaultTimeout(180_000)

test("doctor names the user agent that a running server often rejects as a bot, and what to do", async () => {
  const environment = await prepareInstance(Redacted.value(await freshDatabase()))
  await using full = await Footfall.start({ entry: "full", environment })
  const { out: created } = await footfall(["keys", "create", "--name", "test", "--json"], environment)
  const doctor = async () => {
    const args = ["doctor", "--json", "--url", full.url, "--key", JSON.parse(created).key]
    const { checks } = JSON.parse((await footfall(args, environment)).out) as {
      readonly checks: ReadonlyArray<Record<string, string>>
    }
    return (about: string) => checks.filter((check) => check["about"] === about)
  }
  const before = await doctor()
  expect(before("bots")).toEqual([{ about: "bots", state: "ok", found: "no user agent is often rejected as a bot" }])
  expect(before("addresses")).toEqual([
    { about: "addresses", state: "ok", found: "no sign that clients get a proxy's address" }
  ])
  for (let i = 0; i < 12; i++) {
    const response = await fetch(`${full.url}/api/send`, {
      method: "POST",
      headers: { "user-agent": "OurApp-Playwright/1.0" },
      body: JSON.stringify({ type: "event", payload: { website: SITE, url: "/" } })
    })
    expect(await response.text()).toBe('{"beep":"boop"}')
  }
  expect((await doctor())("bots")).toEqual([
    {
      about: "bots",
      state: "note",
      found: "the user agent OurApp-Playwright/1.0 was rejected as a bot 12 times recently",
      hint: expect.stringContaining("If this is an app or a server of yours")
    }
  ])
})
