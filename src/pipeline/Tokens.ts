import { UUID_PATTERN } from "../domain/ids.ts"
import { LruCache } from "../lib/LruCache.ts"
import type { Origin } from "./Identity.ts"
import { TOKEN_CACHE_ENTRIES, TOKEN_LIFETIME_SECONDS } from "./limits.ts"

/** The claims of a session token, as in Umami 3.1. `iat` is the start of the visit, in seconds since the epoch. */
export interface TokenClaims {
  readonly websiteId: string
  readonly sessionId: string
  readonly visitId: string
  readonly iat: number
  readonly exp?: number
}

/** A genuine token. `origin` is what its session was derived from when the token was last used; null if that is not known. */
export interface Token extends TokenClaims {
  origin: Origin | null
}

/** `{"alg":"HS256","typ":"JWT"}` */
const HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

/** RFC 7515's compact form, which needs no escaping in JSON or in a header. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** base64url of the HMAC-SHA256, byte for byte jose's. The key is the secret hash's 128 digits as a string. */
const signature = (signingInput: string, key: string): string =>
  new Bun.CryptoHasher("sha256", key).update(signingInput).digest("base64url")

/** A compact HS256 JWT of these claims, in their own order. */
export const signClaims = (claims: object, key: string): string => {
  const signingInput = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`
  return `${signingInput}.${signature(signingInput, key)}`
}

/** Whether signing these claims yields the same token again: it is Footfall's own, and the site's id is spelled the same way. */
export const isOwnToken = (claims: TokenClaims, sourceId: string): boolean =>
  claims.exp === claims.iat + TOKEN_LIFETIME_SECONDS && claims.websiteId === sourceId

/** A real token has about 450 characters; old trackers send whole responses. */
const MAX_TOKEN_LENGTH = 2_048

/** Signs and verifies session tokens of one secret. */
export class Tokens {
  readonly #key: string
  /** Tokens known to be genuine: a visitor sends the same one with each event, and checking it takes 2 us. */
  readonly #genuine = new LruCache<Token>(TOKEN_CACHE_ENTRIES)

  /** `key` as `secretHash` returns it. */
  constructor(key: string) {
    this.#key = key
  }

  /** The token of a session: Umami's claims, its newer `type`, and the expiry after 24 hours. */
  sign({ iat, sessionId, visitId, websiteId }: TokenClaims, origin: Origin | null = null): string {
    const exp = iat + TOKEN_LIFETIME_SECONDS
    const signed = signClaims({ type: "cache", websiteId, sessionId, visitId, iat, exp }, this.#key)
    this.#genuine.set(signed, { websiteId, sessionId, visitId, iat, exp, origin })
    return signed
  }

  /**
   * The token if it is genuine, for this site and younger than 24 hours; otherwise null. Accepts Umami's own tokens, which have
   * neither `type` nor `exp`.
   */
  verify(token: string | null, sourceId: string, nowSeconds: number): Token | null {
    if (token === null || token === "" || token.length > MAX_TOKEN_LENGTH) return null
    const genuine = this.#genuine.get(token) ?? this.#parse(token)
    if (genuine === null || genuine.websiteId.toLowerCase() !== sourceId.toLowerCase()) return null
    const end24h = genuine.iat + TOKEN_LIFETIME_SECONDS
    return nowSeconds < Math.min(end24h, genuine.exp ?? end24h) ? genuine : null
  }

  /** Records what the token's session was derived from, so that its next event need not derive it again. */
  remember(token: Token, origin: Origin): void {
    token.origin = origin
  }

  /** A token signed with this key, for whichever site and of any age. */
  #parse(token: string): Token | null {
    const end = token.lastIndexOf(".")
    if (!COMPACT.test(token) || !token.startsWith(`${HEADER}.`) || end <= HEADER.length) return null
    if (!isSame(token.slice(end + 1), signature(token.slice(0, end), this.#key))) return null
    const claims = claimsOf(token.slice(HEADER.length + 1, end))
    if (claims === null) return null
    const parsed: Token = { ...claims, origin: null }
    this.#genuine.set(token, parsed)
    return parsed
  }
}

/** Compares every character, so that the time taken reveals nothing (`timingSafeEqual` takes buffers, which are slower to make). */
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
