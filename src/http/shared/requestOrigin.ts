/** Reads a header of a request; null if it is missing. */
export type ReadHeader = (name: string) => string | null

const firstOf = (header: string | null): string => header?.split(",", 1)[0]?.trim() ?? ""

/** `host` as URLs of this scheme have it: without the scheme's own port. */
const normalHost = (scheme: string, host: string): string | null => URL.parse(`${scheme}://${host}`)?.host ?? null

/** The host that the browser asked for, as far as proxies pass it on. A page of another site cannot set either header. */
const hostsOf = (read: ReadHeader, scheme: string): ReadonlyArray<string | null> =>
  ["host", "x-forwarded-host"].map((name) => {
    const host = firstOf(read(name))
    return host === "" ? null : normalHost(scheme, host)
  })

/**
 * Whether the browser talks to this server over HTTPS: a proxy says so, or `publicUrl` (`PUBLIC_URL`) for its own host. What a client
 * claims here concerns only its own cookies.
 */
export const isSecureRequest = (read: ReadHeader, publicUrl: string | null): boolean => {
  const forwarded = firstOf(read("x-forwarded-proto")).toLowerCase()
  if (forwarded !== "") return forwarded === "https"
  const url = publicUrl === null ? null : URL.parse(publicUrl)
  return url?.protocol === "https:" && hostsOf(read, "https").includes(url.host)
}

/**
 * Whether a request comes from a page of this server, as far as the browser says. Null if it says nothing, as programs that are not
 * browsers do. `Sec-Fetch-Site` (Fetch Metadata) and `Origin` (Fetch, section 3.2) cannot be set by pages.
 */
export const isSameOrigin = (read: ReadHeader, publicUrl: string | null): boolean | null => {
  const site = read("sec-fetch-site")
  if (site !== null) return site === "same-origin"
  const origin = read("origin")
  if (origin === null) return null
  const url = URL.parse(origin)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return false
  if (isSecureRequest(read, publicUrl) && url.protocol !== "https:") return false
  const own = publicUrl === null ? null : (URL.parse(publicUrl)?.origin ?? null)
  return url.origin === own || hostsOf(read, url.protocol.slice(0, -1)).includes(url.host)
}

/** Where a request came to, as the browser has it: scheme and host; null if the request says nothing. */
export const originOf = (read: ReadHeader): string | null => {
  const scheme = isSecureRequest(read, null) ? "https" : "http"
  const host = firstOf(read("x-forwarded-host")) || firstOf(read("host"))
  return host === "" ? null : (URL.parse(`${scheme}://${host}`)?.origin ?? null)
}
