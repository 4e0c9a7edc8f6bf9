import { expect, test } from "bun:test"
import fc from "fast-check"
import { Draft } from "../../src/pipeline/Draft.ts"
import { type DerivedIds, Identity, secretHash } from "../../src/pipeline/Identity.ts"
import type { PipelineEnv } from "../../src/pipeline/PipelineEnv.ts"
import type { Payload } from "../../src/pipeline/payload.ts"
import type { Client } from "../../src/pipeline/resolveClient.ts"
import { resolveVisit, type Visit } from "../../src/pipeline/resolveVisit.ts"
import { Tokens } from "../../src/pipeline/Tokens.ts"

const SECRET = secretHash("a secret of this test")
const SITE = "b3bbdd7c-65a5-5855-b0f2-a30b6873e913"
const NOON = Date.parse("2026-11-23T12:00:00Z")
const MONTH = 31 * 86_400_000

interface Visitor {
  readonly sent: string
  readonly distinctId: string | undefined
  readonly ip: string
  readonly userAgent: string
  readonly createdAt: number
}

const identity = new Identity(SECRET, "month")
const tokens = new Tokens(SECRET)
const env = { identity, tokens } as PipelineEnv["Service"]

const visitOf = (
  { createdAt, distinctId, ip, sent, userAgent }: Visitor,
  sentToken: string | null,
  now = NOON,
  derived: DerivedIds | null = null
): Visit => {
  const draft = new Draft(null, { headers: new Headers(), peer: ip, ...(derived === null ? {} : { derived }) }, now)
  draft.payload = { id: distinctId } as Payload
  draft.source = { sent, id: sent.toLowerCase(), kind: "website", site: null }
  draft.client = { ip, userAgent } as Client
  draft.token = tokens.verify(sentToken, sent, now / 1_000)
  draft.createdAt = createdAt
  resolveVisit(draft, env)
  return draft.visit
}

const tokenOf = (visitor: Visitor, { origin, sessionId, visitId, visitStart }: Visit) =>
  tokens.sign({ websiteId: visitor.sent, sessionId, visitId, iat: visitStart }, origin)

/** Derived without a token. */
const expectedId = ({ createdAt, distinctId, ip, sent, userAgent }: Visitor) =>
  identity.sessionId({ sourceId: sent, distinctId, userAgent, salt: identity.sessionSalt(createdAt), address: 0 }, ip)

/** Few values each, so that two visitors often differ in only one. */
const visitor = fc.record<Visitor>({
  sent: fc.constantFrom(SITE, SITE.toUpperCase()),
  distinctId: fc.constantFrom(undefined, "", "u1", "u2"),
  ip: fc.constantFrom("81.2.69.142", "81.2.69.143", "2a02:1::1", ""),
  userAgent: fc.constantFrom("", "Firefox", "Chrome"),
  createdAt: fc.constantFrom(NOON, NOON - 1_000, NOON - MONTH)
})

test("a session is derived from its own payload, whatever token comes with it", () => {
  fc.assert(
    fc.property(fc.array(visitor, { minLength: 1, maxLength: 6 }), (visitors) => {
      // The token of each goes to the next, as when a visitor moves from one network to another.
      let token: string | null = null
      for (const [index, of] of visitors.entries()) {
        const before: string | null = token
        const visit = visitOf(of, token)
        expect(visit.sessionId).toBe(expectedId(of))
        const previous = visitors[index - 1]
        const isSame = previous !== undefined && expectedId(previous) === expectedId(of)
        expect(visit.isKnown).toBe(before !== null && isSame)
        token = tokenOf(of, visit)
        // The same again, from what is remembered about the token.
        expect(visitOf(of, token)).toMatchObject({ sessionId: visit.sessionId, visitId: visit.visitId, isKnown: true })
      }
    }),
    { numRuns: 500 }
  )
})

test("in a batch, each payload has the same session and visit as on its own", () => {
  fc.assert(
    fc.property(fc.array(visitor, { minLength: 1, maxLength: 12 }), (visitors) => {
      const derived: DerivedIds = new Map()
      for (const of of visitors) expect(visitOf(of, null, NOON, derived)).toEqual(visitOf(of, null))
      expect(derived.size).toBeLessThanOrEqual(2 * visitors.length)
    }),
    { numRuns: 300 }
  )
})

test("a token from another process is accepted like our own", () => {
  const of: Visitor = { sent: SITE, distinctId: undefined, ip: "81.2.69.142", userAgent: "Firefox", createdAt: NOON }
  const visit = visitOf(of, null)
  // Another process signs without remembering what the session was derived from.
  const foreign = new Tokens(SECRET).sign({
    websiteId: SITE,
    sessionId: visit.sessionId,
    visitId: visit.visitId,
    iat: visit.visitStart - 1
  })
  for (let time = 0; time < 2; time++) {
    expect(visitOf(of, foreign)).toMatchObject({ sessionId: visit.sessionId, isKnown: true })
    expect(visitOf({ ...of, ip: "81.2.69.143" }, foreign)).toMatchObject({ isKnown: false })
  }
})

test("nothing remembered about a token contains the visitor's address", () => {
  const of: Visitor = { sent: SITE, distinctId: undefined, ip: "81.2.69.142", userAgent: "Firefox", createdAt: NOON }
  const token = tokens.verify(tokenOf(of, visitOf(of, null)), SITE, NOON / 1_000)
  expect(token?.origin).not.toBeNull()
  expect(JSON.stringify(token)).not.toContain(of.ip)
})
