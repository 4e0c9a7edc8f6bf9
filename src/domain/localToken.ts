import { timingSafeEqual } from "node:crypto"

/** How a token of a local command begins, so that it is not taken for an API key. */
const PREFIX = "ffl_"

/** How far a token's time may be from the server's: both are on the same machine. */
const VALID_MS = 60_000

const signature = (secret: string, time: number): Buffer =>
  Buffer.from(new Bun.CryptoHasher("sha256", secret).update(`local ${time}`).digest("hex"))

/** What a command on this machine sends in place of an API key. It proves that the command can read the secret, without revealing it. */
export const localToken = (secret: string, now: number): string => `${PREFIX}${now}_${signature(secret, now)}`

export const isLocalToken = (token: string): boolean => token.startsWith(PREFIX)

/** Whether a token was made with this secret within the last minute. */
export const provesSecret = (token: string, secret: string, now: number): boolean => {
  const [, time = "", given = ""] = /^ffl_(\d{1,15})_([0-9a-f]{64})$/.exec(token) ?? []
  if (given === "" || Math.abs(now - Number(time)) > VALID_MS) return false
  return timingSafeEqual(Buffer.from(given), signature(secret, Number(time)))
}
