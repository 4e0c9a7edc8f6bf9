/** Characters of a key that are kept in the clear, to tell keys apart in a list: 5 random ones, 30 bits of 256. */
const PREFIX_LENGTH = 8

/** A new API key: `ff_` and 32 random bytes. */
export const newKey = (): string =>
  `ff_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`

/** What is kept of a key. A plain SHA-256 is enough: there is nothing to guess in 256 random bits. */
export const hashKey = (key: string): string => new Bun.CryptoHasher("sha256").update(key).digest("hex")

export const keyPrefix = (key: string): string => key.slice(0, PREFIX_LENGTH)
