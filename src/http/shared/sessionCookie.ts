/** The cookie that holds a user's session token, without the prefix that it has over HTTPS. */
export const SESSION_COOKIE = "footfall_session"

/** The cookie that holds an attempt to sign in at an identity provider. */
export const SIGN_ON_COOKIE = "footfall_sign_on"

/** Where a cookie is valid. */
export interface CookieScope {
  /** Whether the browser talks to this server over HTTPS. */
  readonly isSecure: boolean
  /** `BASE_PATH`: another application on the same host does not receive the cookie. */
  readonly base: string | null
}

/**
 * The cookie's name. Browsers take one with a prefix only over HTTPS and, with `__Host-`, only for the exact host and every path, so that
 * neither a subdomain nor a page without TLS can plant one (RFC 6265bis, section 4.1.3).
 */
export const cookieName = (name: string, { base, isSecure }: CookieScope): string =>
  isSecure ? `${base === null ? "__Host-" : "__Secure-"}${name}` : name

/** A cookie that scripts cannot read, and that other sites' requests do not carry, except for links to this one. */
export const setCookie = (
  name: string,
  value: string,
  options: CookieScope & { readonly maxAgeSeconds: number }
): string =>
  [
    `${cookieName(name, options)}=${value}`,
    `Path=${options.base ?? "/"}`,
    `Max-Age=${options.maxAgeSeconds}`,
    "HttpOnly",
    "SameSite=Lax",
    ...(options.isSecure ? ["Secure"] : [])
  ].join("; ")

/** Makes the browser forget a cookie. */
export const clearCookie = (name: string, scope: CookieScope): string =>
  setCookie(name, "", { ...scope, maxAgeSeconds: 0 })

/** The value of a cookie in a `Cookie` header; null if it is missing or empty. Only values that need no decoding are ours. */
export const cookieValue = (header: string | null, name: string, scope: CookieScope): string | null => {
  const wanted = `${cookieName(name, scope)}=`
  for (const part of (header ?? "").split(";")) {
    const cookie = part.trim()
    if (cookie.startsWith(wanted)) return cookie.slice(wanted.length) || null
  }
  return null
}
