import { UUID_PATTERN } from "../domain/ids.ts"
import { LruCache } from "../lib/LruCache.ts"
import { TOKEN_CACHE_ENTRIES, TOKEN_LIFETIME_SECONDS } from "./limits.ts"

/** What a session token says (wire contract 1.9). `iat` is the start of the visit in seconds since the epoch. */
export interface TokenClaims {
  readonly websiteId: string
  readonly sessionId: string
  readonly visitId: string
  readonly iat: number
  readonly exp?: number
}

/** What a session id was made of, to know it again. The address is told apart by a number: it is not kept. */
export interface Origin {
  readonly sourceId: string
  readonly distinctId: string | undefined
  readonly userAgent: string
  readonly salt: string
  readonly address: number
}

/** A genuine token. `origin` is what its session was made of when it was last met; null when nobody knows. */
export interface Token extends TokenClaims {
  origin: Origin | null
}

/** `{"alg":"HS256","typ":"JWT"}` */
const HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

/** RFC 7515's compact form: such a text may stand in JSON and in a header as it is. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** base64url of the HMAC-SHA256; the key is the secret hash's 128 digits as text. The same bytes as jose's. */
const signature = (signingInput: string, key: string): string =>
  new Bun.CryptoHasher("sha256", key).update(signingInput).digest("base64url")

/** A compact HS256 JWT of these claims, in their own order. */
export const signClaims = (claims: object, key: string): string => {
  const signingInput = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`
  return `${signingInput}.${signature(signingInput, key)}`
}

/** Tokens that are known to be of a key: a visitor sends the same one with each event, and checking it costs 2 us. */
const genuine = new LruCache<{ readonly key: string; readonly token: Token }>(TOKEN_CACHE_ENTRIES)

/** The token of a session: Umami's claims, its later `type`, and the end of its 24 hours. */
export const signToken = (
  { iat, sessionId, visitId, websiteId }: TokenClaims,
  key: string,
  origin: Origin | null = null
): string => {
  const exp = iat + TOKEN_LIFETIME_SECONDS
  const signed = signClaims({ type: "cache", websiteId, sessionId, visitId, iat, exp }, key)
  genuine.set(signed, { key, token: { websiteId, sessionId, visitId, iat, exp, origin } })
  return signed
}

/** Signing these claims gives the very token that they were read from: one of ours, for the same site in the same writing. */
export const isOwnToken = (claims: TokenClaims, sourceId: string): boolean =>
  claims.exp === claims.iat + TOKEN_LIFETIME_SECONDS && claims.websiteId === sourceId

/** A real one has about 450 characters; old trackers send whole answers. */
const MAX_TOKEN_LENGTH = 2_048

/**
 * The claims of a token of this key for this site, younger than 24 hours; null for everything else (a wrong token is no
 * token). Umami's tokens, which have no `type` and no `exp`, are as good.
 */
export const verifyToken = (token: string | null, sourceId: string, key: string, nowSeconds: number): Token | null => {
  if (token === null || token === "" || token.length > MAX_TOKEN_LENGTH) return null
  const known = genuine.get(token)
  const claims = known?.key === key ? known.token : genuineToken(token, key)
  if (claims === null || claims.websiteId.toLowerCase() !== sourceId.toLowerCase()) return null
  const end24h = claims.iat + TOKEN_LIFETIME_SECONDS
  return nowSeconds < Math.min(end24h, claims.exp ?? end24h) ? claims : null
}

/** A token of this key, however old it is and whosever. */
const genuineToken = (text: string, key: string): Token | null => {
  const end = text.lastIndexOf(".")
  if (!COMPACT.test(text) || !text.startsWith(`${HEADER}.`) || end <= HEADER.length) return null
  if (!isSame(text.slice(end + 1), signature(text.slice(0, end), key))) return null
  const claims = claimsOf(text.slice(HEADER.length + 1, end))
  if (claims === null) return null
  const token: Token = { ...claims, origin: null }
  genuine.set(text, { key, token })
  return token
}

/** Compared to the end wherever they differ, so that the time tells nothing (`timingSafeEqual` takes buffers, which cost more). */
const isSame = (given: string, own: string): boolean => {
  if (given.length !== own.length) return false
  let difference = 0
  for (let i = 0; i < own.length; i++) difference |= given.charCodeAt(i) ^ own.charCodeAt(i)
  return difference === 0
}

const claimsOf = (encoded: string): TokenClaims | null => {
  try {
    const claims: unknown = JSON.parse(Buffer.from(encoded, "base64url").toString())
    return isTokenClaims(claims) ? claims : null
  } catch {
    return null
  }
}

const isTokenClaims = (claims: unknown): claims is TokenClaims =>
  typeof claims === "object" &&
  claims !== null &&
  (!("type" in claims) || claims.type === "cache") &&
  "websiteId" in claims &&
  typeof claims.websiteId === "string" &&
  "sessionId" in claims &&
  typeof claims.sessionId === "string" &&
  UUID_PATTERN.test(claims.sessionId) &&
  "visitId" in claims &&
  typeof claims.visitId === "string" &&
  UUID_PATTERN.test(claims.visitId) &&
  "iat" in claims &&
  Number.isSafeInteger(claims.iat) &&
  (!("exp" in claims) || typeof claims.exp === "number")
