import type { SessionId, VisitId } from "../domain/ids.ts"

/** How long an anonymous visitor keeps a session id (`SALT_ROTATION`). */
export type SaltRotation = "day" | "week" | "month"

const sha512 = (text: string): string => Bun.SHA512.hash(text, "hex")

/** Umami's `secret()`: the key of tokens and a part of every id, 128 hexadecimal digits. */
export const secretHash = (appSecret: string): string => sha512(appSecret)

/** Ids by what they were derived from. One map serves the payloads of a batch, which often share a visitor. */
export type DerivedIds = Map<string, string>

/** Hours and periods whose salts are kept: nearly all events fall into the current ones. */
const SALTS_KEPT = 64

/** What a session id is derived from, except for the address. Kept with tokens in order to recognize their session. */
export interface Origin {
  /** The source's id as the client sent it. */
  readonly sourceId: string
  readonly distinctId: string | undefined
  readonly userAgent: string
  readonly salt: string
  /** A keyed hash of the IP address, which does not reveal it. */
  readonly address: number
}

/** Derives session and visit ids as Umami 3.1 does. */
export class Identity {
  readonly #secret: string
  readonly #rotation: SaltRotation
  readonly #salts = new Map<number, string>()
  /** No period begins within a second, so one salt serves all of it. */
  #latestSecond = Number.NaN
  #latestSalt = ""

  /** `secret` as `secretHash` returns it. */
  constructor(secret: string, rotation: SaltRotation) {
    this.#secret = secret
    this.#rotation = rotation
  }

  /** The salt of the period that contains `time` (ms since the epoch), in this process's time zone. Weeks start on Sunday. */
  sessionSalt(time: number): string {
    const second = Math.floor(time / 1_000)
    if (second !== this.#latestSecond) {
      this.#latestSalt = this.#salt(this.#startOfPeriod(time))
      this.#latestSecond = second
    }
    return this.#latestSalt
  }

  /** The session id: from the distinct id if there is one, otherwise from address, user agent and the period's salt. */
  sessionId(origin: Origin, ip: string, derived: DerivedIds | null = null): SessionId {
    const { distinctId, salt, sourceId, userAgent } = origin
    const parts = distinctId ? sourceId + distinctId : sourceId + ip + userAgent + salt
    return this.#uuid(parts, derived) as SessionId
  }

  /** The id of a session's visit in the clock hour that contains `createdAt` (ms since the epoch). */
  visitId(sessionId: SessionId, createdAt: number, derived: DerivedIds | null = null): VisitId {
    return this.#uuid(sessionId + this.visitSalt(createdAt), derived) as VisitId
  }

  /** The salt of the clock hour that contains `time` (ms since the epoch). */
  visitSalt(time: number): string {
    const hour = new Date(time)
    hour.setMinutes(0, 0, 0)
    return this.#salt(hour)
  }

  /** Umami's `uuid(...)`: version 5 in the DNS namespace, over the SHA-512 of all parts and the secret. */
  #uuid(parts: string, derived: DerivedIds | null): string {
    const known = derived?.get(parts)
    if (known !== undefined) return known
    const id = Bun.randomUUIDv5(sha512(parts + this.#secret), "dns")
    derived?.set(parts, id)
    return id
  }

  #startOfPeriod(time: number): Date {
    const start = new Date(time)
    start.setHours(0, 0, 0, 0)
    if (this.#rotation === "month") start.setDate(1)
    else if (this.#rotation === "week") start.setDate(start.getDate() - start.getDay())
    return start
  }

  #salt(start: Date): string {
    const key = start.getTime()
    const known = this.#salts.get(key)
    if (known !== undefined) return known
    const salt = sha512(start.toUTCString())
    if (this.#salts.size >= SALTS_KEPT) this.#salts.clear()
    this.#salts.set(key, salt)
    return salt
  }
}
