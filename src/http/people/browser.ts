import { ClientAddresses } from "../../pipeline/ClientAddresses.ts"
import type { Policy } from "../../pipeline/Policy.ts"
import type { Settings } from "../../ports/Settings.ts"
import { ATTEMPT_SECONDS } from "../../ports/SingleSignOn.ts"
import { BASE_PATH, PUBLIC_URL, SESSION_MAX_MINUTES } from "../../settings/settings.ts"
import { SIGNED_OUT_PATH } from "../shared/links.ts"
import { publicUrl } from "../shared/publicUrl.ts"
import { isSameOrigin, isSecureRequest, originOf, type ReadHeader } from "../shared/requestOrigin.ts"
import {
  type CookieScope,
  clearCookie,
  cookieValue,
  SESSION_COOKIE,
  SIGN_ON_COOKIE,
  setCookie
} from "../shared/sessionCookie.ts"
import type { Browser } from "./SignIn.ts"

/** A request, as far as signing in is concerned. */
export interface BrowserRequest {
  readonly headers: Headers
  /** The address that opened the connection. */
  readonly peer: string | null
}

/** Reads from requests who sends them, and writes the session's cookie. */
export class Browsers {
  readonly #addresses: ClientAddresses
  readonly #settings: Settings["Service"]
  readonly #get: Settings["Service"]["get"]

  constructor(policy: Policy["Service"], settings: Settings["Service"]) {
    this.#addresses = new ClientAddresses(policy.trust, policy.clientIpHeader)
    this.#settings = settings
    this.#get = settings.get
  }

  of(request: BrowserRequest): Browser {
    return {
      address: this.#addresses.resolve(request.peer ?? "", request.headers).ip,
      userAgent: request.headers.get("user-agent"),
      session: this.sessionToken(request)
    }
  }

  sessionToken(request: BrowserRequest): string | null {
    return cookieValue(request.headers.get("cookie"), SESSION_COOKIE, this.scope(request))
  }

  scope({ headers }: BrowserRequest): CookieScope {
    return { base: this.#get(BASE_PATH), isSecure: isSecureRequest(readerOf(headers), this.#get(PUBLIC_URL)) }
  }

  /** Whether a page of another site sent the request. Programs that are not browsers say nothing about that. */
  isCrossSite({ headers }: BrowserRequest): boolean {
    return isSameOrigin(readerOf(headers), this.#get(PUBLIC_URL)) === false
  }

  /** This server's address as the browser has it, for links: without `PUBLIC_URL`, where the request came to. */
  serverUrl({ headers }: BrowserRequest): string {
    const origin = this.#get(PUBLIC_URL) === null ? originOf(readerOf(headers)) : null
    return origin === null ? publicUrl(this.#settings, null) : `${origin}${this.#get(BASE_PATH) ?? ""}`
  }

  /** Where an identity provider sends a browser that has signed out there. */
  signedOutUrl(request: BrowserRequest): string {
    return `${this.serverUrl(request)}${SIGNED_OUT_PATH}`
  }

  /** The header `Set-Cookie` for a new session. The server ends the session earlier if it is not used. */
  sessionCookie(request: BrowserRequest, token: string): string {
    return setCookie(SESSION_COOKIE, token, {
      ...this.scope(request),
      maxAgeSeconds: this.#get(SESSION_MAX_MINUTES) * 60
    })
  }

  clearedCookie(request: BrowserRequest): string {
    return clearCookie(SESSION_COOKIE, this.scope(request))
  }

  /** The attempt to sign in at an identity provider that the browser has begun. */
  signOnAttempt(request: BrowserRequest): string | null {
    return cookieValue(request.headers.get("cookie"), SIGN_ON_COOKIE, this.scope(request))
  }

  /** The header `Set-Cookie` for an attempt; null ends it. */
  signOnCookie(request: BrowserRequest, sealed: string | null): string {
    const scope = this.scope(request)
    return sealed === null
      ? clearCookie(SIGN_ON_COOKIE, scope)
      : setCookie(SIGN_ON_COOKIE, sealed, { ...scope, maxAgeSeconds: ATTEMPT_SECONDS })
  }
}

const readerOf =
  (headers: Headers): ReadHeader =>
  (name) =>
    headers.get(name)
