/** Bytes that cannot be guessed, so that what is stored of them need not be a slow hash. */
const RANDOM_BYTES = 32

/** Longer strings are not hashed: no token of ours is. */
export const MAX_TOKEN_LENGTH = 200

/** A new secret: 43 characters that need no escaping in URLs and cookies. */
export const newToken = (): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(RANDOM_BYTES))).toString("base64url")

/** What is stored of a token, in hexadecimal. */
export const hashToken = (token: string): string => new Bun.CryptoHasher("sha256").update(token).digest("hex")
