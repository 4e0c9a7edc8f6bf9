import { hashToken, newToken } from "./secretTokens.ts"

/** How many characters of a key are stored in plain, to recognize it in a list: 5 of them are random, 30 of 256 bits. */
const PREFIX_LENGTH = 8

/** A new API key: `ff_` and 32 random bytes in base64url. */
export const newKey = (): string => `ff_${newToken()}`

/** What is stored of a key, in hexadecimal. A plain SHA-256 is enough, since 256 random bits cannot be guessed. */
export const hashKey = hashToken

export const keyPrefix = (key: string): string => key.slice(0, PREFIX_LENGTH)
