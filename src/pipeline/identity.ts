import type { SessionId, VisitId } from "../domain/ids.ts"

/** How long an anonymous visitor keeps a session id (`SALT_ROTATION`). */
export type SaltRotation = "day" | "week" | "month"

const sha512 = (text: string): string => Bun.SHA512.hash(text, "hex")

/** Umami's `secret()`: the key of tokens and a part of every id, 128 hexadecimal digits. */
export const secretHash = (appSecret: string): string => sha512(appSecret)

/** Ids by what they were made of, of the payloads of one request: a batch has several of most visitors. */
export type DerivedIds = Map<string, string>

/** Umami's `uuid(...)`: version 5 in the DNS name space over the SHA-512 of all parts and the secret. */
const derivedUuid = (parts: string, secret: string, derived: DerivedIds | null): string => {
  const known = derived?.get(parts)
  if (known !== undefined) return known
  const id = Bun.randomUUIDv5(sha512(parts + secret), "dns")
  derived?.set(parts, id)
  return id
}

/** The salt of the period that holds `time` (ms since the epoch), in this process's time zone; weeks start on Sunday. */
export const sessionSalt = (time: number, rotation: SaltRotation): string => {
  const second = Math.floor(time / 1_000)
  if (second === latest.second && rotation === latest.rotation) return latest.salt
  const salt = periodSalt(time, rotation)
  latest = { second, rotation, salt }
  return salt
}

/** No period begins within a second, so one answer serves for all of it. */
let latest: { readonly second: number; readonly rotation: SaltRotation; readonly salt: string } = {
  second: Number.NaN,
  rotation: "month",
  salt: ""
}

const periodSalt = (time: number, rotation: SaltRotation): string => {
  const start = new Date(time)
  start.setHours(0, 0, 0, 0)
  if (rotation === "month") start.setDate(1)
  else if (rotation === "week") start.setDate(start.getDate() - start.getDay())
  return saltOf(start)
}

/** The salt of the clock hour that holds `time`. */
export const visitSalt = (time: number): string => {
  const start = new Date(time)
  start.setMinutes(0, 0, 0)
  return saltOf(start)
}

/** Nearly all events are of the present month and hour. */
const SALTS_KEPT = 64
const salts = new Map<number, string>()

const saltOf = (start: Date): string => {
  const key = start.getTime()
  const known = salts.get(key)
  if (known !== undefined) return known
  const salt = sha512(start.toUTCString())
  if (salts.size >= SALTS_KEPT) salts.clear()
  salts.set(key, salt)
  return salt
}

/**
 * Umami 3.1's session id: by distinct id when there is one, else by address, agent and the period's salt (wire contract 1.9).
 * `sourceId` as the client sent it.
 */
export const sessionIdOf = (
  sourceId: string,
  distinctId: string | undefined,
  ip: string,
  userAgent: string,
  salt: string,
  secret: string,
  derived: DerivedIds | null = null
): SessionId =>
  derivedUuid(distinctId ? sourceId + distinctId : sourceId + ip + userAgent + salt, secret, derived) as SessionId

/** Umami's visit id of a session in a clock hour. */
export const visitIdOf = (
  sessionId: SessionId,
  createdAt: number,
  secret: string,
  derived: DerivedIds | null = null
): VisitId => derivedUuid(sessionId + visitSalt(createdAt), secret, derived) as VisitId
