import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { jwtVerify, SignJWT } from "jose"
import { Identity, secretHash } from "../../src/pipeline/Identity.ts"
import { signClaims, Tokens } from "../../src/pipeline/Tokens.ts"

const SITE = "11111111-2222-4333-8444-555555555555"
const SECRET = secretHash("bench-secret")
const tokens = new Tokens(SECRET)
const identity = new Identity(SECRET, "month")
const KEY = new TextEncoder().encode(SECRET)
const claims = fc.record({
  websiteId: fc.uuid(),
  sessionId: fc.uuid({ version: 5 }),
  visitId: fc.uuid({ version: 5 }),
  iat: fc.integer({ min: 1_700_000_000, max: 1_900_000_000 })
})

describe("a token", () => {
  test("a token has exactly the bytes of the contract's test vector", () => {
    const token = signClaims(
      {
        websiteId: SITE,
        sessionId: "e0d9376c-86d4-521d-abcb-e05be8a7f726",
        visitId: "b3bbdd7c-65a5-5855-b0f2-a30b6873e913",
        iat: 1_795_461_114
      },
      SECRET
    )
    expect(token).toBe(
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ3ZWJzaXRlSWQiOiIxMTExMTExMS0yMjIyLTQzMzMtODQ0NC01NTU1NTU1NTU1NTUiLCJzZXNzaW9uSWQiOiJlMGQ5Mzc2Yy04NmQ0LTUyMWQtYWJjYi1lMDViZThhN2Y3MjYiLCJ2aXNpdElkIjoiYjNiYmRkN2MtNjVhNS01ODU1LWIwZjItYTMwYjY4NzNlOTEzIiwiaWF0IjoxNzk1NDYxMTE0fQ.ADn6vTSafl9WOnipHa3op05q0R8T8a8nwUeUWZsn_Oo"
    )
  })

  test("a token has exactly the bytes that jose produces for the same claims", async () => {
    await fc.assert(
      fc.asyncProperty(claims, async (given) => {
        const jose = await new SignJWT({ ...given }).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(KEY)
        expect(signClaims(given, SECRET)).toBe(jose)
      }),
      { numRuns: 50 }
    )
  })

  test("jose verifies our tokens, and we verify jose's", async () => {
    await fc.assert(
      fc.asyncProperty(claims, async (given) => {
        const { payload } = await jwtVerify(tokens.sign(given), KEY, { currentDate: new Date(given.iat * 1000) })
        expect(payload).toEqual({ type: "cache", ...given, exp: given.iat + 86_400 })
        const theirs = await new SignJWT({ ...given }).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(KEY)
        expect(tokens.verify(theirs, given.websiteId, given.iat)).toEqual({ ...given, origin: null })
      }),
      { numRuns: 50 }
    )
  })

  test("a token with one changed character is invalid, as for jose", async () => {
    await fc.assert(
      fc.asyncProperty(claims, fc.nat(), fc.constantFrom("A", "z", "-", "."), async (given, position, char) => {
        const token = tokens.sign(given)
        const at = position % token.length
        const changed = token.slice(0, at) + char + token.slice(at + 1)
        fc.pre(changed !== token)
        // The last base64url character has bits that decoders ignore; we compare characters, jose compares bytes.
        const ours = tokens.verify(changed, given.websiteId, given.iat)
        expect(ours).toBeNull()
      }),
      { numRuns: 200 }
    )
  })

  test("a token is valid for exactly 24 hours", () => {
    const given = { websiteId: SITE, sessionId: SITE, visitId: SITE, iat: 1_800_000_000 }
    const token = tokens.sign(given)
    expect(tokens.verify(token, SITE, 1_800_086_399)).not.toBeNull()
    expect(tokens.verify(token, SITE, 1_800_086_400)).toBeNull()
  })

  test("no string makes token verification throw", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${text}.x`)
        ),
        (text) => {
          expect(tokens.verify(text, SITE, 0)).toBeNull()
        }
      )
    )
  })
})

describe("ids", () => {
  const base = {
    sourceId: SITE,
    distinctId: undefined as string | undefined,
    ip: "81.2.69.142",
    userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
    createdAt: Date.parse("2026-11-23T19:11:54.895Z")
  }

  /** The effect of TZ can only be seen in a process that was started with it. */
  const salts = async (timezone: string, time: string) => {
    const script = `
      const { Identity } = await import("${import.meta.dir}/../../src/pipeline/Identity.ts")
      const at = Date.parse(process.argv[1])
      const salts = ["day", "week", "month"].map((rotation) => new Identity("", rotation).sessionSalt(at))
      console.log(JSON.stringify([...salts, new Identity("", "day").visitSalt(at)]))`
    const child = Bun.spawn([process.execPath, "-e", script, time], {
      env: { ...process.env, TZ: timezone },
      stdout: "pipe"
    })
    return JSON.parse(await new Response(child.stdout).text()) as [string, string, string, string]
  }
  const saltOf = (start: string) => Bun.SHA512.hash(new Date(start).toUTCString(), "hex")

  test("salts use periods in the time zone TZ, with weeks from Sunday", async () => {
    expect(await salts("UTC", "2026-11-23T19:11:54.895Z")).toEqual([
      saltOf("2026-11-23T00:00:00Z"),
      saltOf("2026-11-22T00:00:00Z"),
      saltOf("2026-11-01T00:00:00Z"),
      saltOf("2026-11-23T19:00:00Z")
    ])
    expect(await salts("Asia/Kolkata", "2026-10-31T20:11:54.895Z")).toEqual([
      saltOf("2026-10-31T18:30:00Z"),
      saltOf("2026-10-31T18:30:00Z"),
      saltOf("2026-10-31T18:30:00Z"),
      saltOf("2026-10-31T19:30:00Z")
    ])
  })

  test("salts change with the month and the hour, and not within them", () => {
    const at = (time: string) => Date.parse(time)
    const zone = new Date(at("2026-12-01T00:00:00Z")).getTimezoneOffset() * 60_000
    const midnight = at("2026-12-01T00:00:00Z") + zone
    expect(identity.sessionSalt(midnight - 1)).not.toBe(identity.sessionSalt(midnight))
    expect(identity.sessionSalt(midnight)).toBe(identity.sessionSalt(midnight + 86_400_000))
    expect(identity.visitSalt(midnight - 1)).not.toBe(identity.visitSalt(midnight))
    expect(identity.visitSalt(midnight)).toBe(identity.visitSalt(midnight + 3_599_999))
  })

  test("session ids differ by every part they are derived from", () => {
    const id = (change: Partial<typeof base>) => {
      const seed = { ...base, ...change }
      const salt = identity.sessionSalt(seed.createdAt)
      return identity.sessionId({ ...seed, salt, address: 0 }, seed.ip)
    }
    const ids = [
      id({}),
      id({ ip: "81.2.69.143" }),
      id({ userAgent: "x" }),
      id({ sourceId: SITE.replace("1", "2") }),
      id({ distinctId: "u" })
    ]
    expect(new Set(ids).size).toBe(ids.length)
    expect(id({ distinctId: "u" })).toBe(id({ distinctId: "u", ip: "9.9.9.9", userAgent: "other" }))
    expect(identity.visitId(id({}), base.createdAt)).not.toBe(identity.visitId(id({ ip: "1.1.1.1" }), base.createdAt))
  })
})
