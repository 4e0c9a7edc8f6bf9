import { expect, test } from "bun:test"
import { Redacted } from "effect"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { footfall } from "../cli/support.ts"
import { FIREFOX, SITE } from "../support/collect/collect.ts"
import { until } from "../support/eventually.ts"
import { connect, prepareInstance } from "../support/postgres/database.ts"
import { freshDatabase } from "../support/postgres/postgres.ts"
import { Footfall } from "../support/process/footfallProcess.ts"

/** Enough for a process to start and answer on a busy machine. */
const VALID_SECONDS = 6

test("a license that expires stops a running collector at that moment, and a new one resumes it without a restart", async () => {
  await using all = new AsyncDisposableStack()
  const url = Redacted.value(await freshDatabase())
  const database = all.use(await connect(url))
  const { privateKey, publicKey } = await generateKeyPair("EdDSA", { extractable: true })
  const license = (expiresAt: number) =>
    new SignJWT({ features: ["product-analytics"], exp: expiresAt })
      .setProtectedHeader({ alg: "EdDSA" })
      .sign(privateKey)
  const environment = {
    ...(await prepareInstance(url)),
    FEATURE_GATE: "token",
    LICENSE_PUBLIC_KEY: JSON.stringify(await exportJWK(publicKey))
  }
  const take = async (token: string) => {
    const { code, err } = await footfall(["settings", "set", "license-token", token], environment)
    expect([code, err]).toEqual([0, ""])
  }

  const expiresAt = Math.ceil(Date.now() / 1_000) + VALID_SECONDS
  await take(await license(expiresAt))
  const collector = all.use(await Footfall.start({ environment }))
  const event = (name: string) => ({ type: "event", payload: { website: SITE, url: "/", name } })
  /** Times before and after a response, which was made in between. */
  const send = async (path: string, body: object) => {
    const from = Date.now()
    const response = await fetch(collector.url + path, {
      method: "POST",
      headers: { "user-agent": FIREFOX },
      body: JSON.stringify(body)
    })
    return { status: response.status, body: await response.json(), from, to: Date.now() }
  }

  const accepted: Array<string> = []
  for (let i = 0, status = 0; status !== 402; i++) {
    const answer = await send("/api/send", event(`e${i}`))
    status = answer.status
    if (status === 200) accepted.push(`e${i}`)
    else expect(answer.body).toMatchObject({ disabled: true, error: { status: 402 } })
    if (status === 200) expect(answer.from).toBeLessThan(expiresAt * 1_000)
    else expect(answer.to).toBeGreaterThanOrEqual(expiresAt * 1_000)
    await Bun.sleep(20)
  }
  expect(accepted.length).toBeGreaterThan(0)
  const refused = [await send("/api/send", event("no")), await send("/api/batch", [event("no"), event("no")])]
  for (const { body, status } of refused) expect([status, body]).toMatchObject([402, { disabled: true }])

  await take(await license(expiresAt + 3_600))
  await until("events are taken again", async () => (await send("/api/send", event("renewed"))).status === 200)

  const rows = await database.query<{ readonly name: string }>(
    "SELECT event_name AS name FROM product_analytics_event ORDER BY created_at"
  )
  expect(rows.map(({ name }) => name)).toEqual([...accepted, "renewed"])
}, 180_000)
