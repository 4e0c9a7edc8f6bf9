import { afterAll, beforeAll, expect, test } from "bun:test"
import { Identity, secretHash } from "../../src/pipeline/Identity.ts"
import { type CollectUnderTest, FIREFOX, SECRET, SITE, startCollect } from "../support/collect/collect.ts"

let collect: CollectUnderTest
beforeAll(async () => {
  collect = await startCollect({ environment: { IGNORE_IP: "192.0.2.0/24" } })
})
afterAll(() => collect.stop())

const send = (ip: string) => collect.post({ type: "event", payload: { website: SITE, url: "/", ip } })

const identity = new Identity(secretHash(SECRET), "month")
/** The session that Umami derives: from the string exactly as given. */
const sessionOf = (ip: string) =>
  identity.sessionId(
    { sourceId: SITE, distinctId: undefined, userAgent: FIREFOX, salt: identity.sessionSalt(Date.now()), address: 0 },
    ip
  )

test.each(["81.2.69.142", " 81.2.69.142", "81.2.69.142:8080", "81.2.69.142, 10.0.0.1", "::ffff:81.2.69.142"])(
  "the payload's ip %p is located, and its session is derived from the string as given",
  async (ip) => {
    const before = collect.events.length
    const response = await send(ip)
    expect((await response.json()).sessionId).toBe(sessionOf(ip))
    expect(collect.events[before]!.session!.country).toBe("GB")
  }
)

test.each(["192.0.2.7", " 192.0.2.7", "192.0.2.7:80", "192.0.2.7, 81.2.69.142", "::ffff:192.0.2.7"])(
  "the payload's ip %p is in IGNORE_IP",
  async (ip) => {
    expect((await send(ip)).status).toBe(403)
  }
)
