import { Result } from "effect"

/**
 * A domain whose pages may send events and read the responses, normalized: lower case, punycode, no scheme, no path.
 *
 * | domain | origins it allows |
 * |---|---|
 * | `example.com` | `example.com` and `www.example.com`, http or https, on any port |
 * | `www.example.com` | the same two |
 * | `*.example.com` | every subdomain at any depth, but not `example.com` itself, on any port |
 * | `example.com:8443`, `*.example.com:8443` | the same hosts on exactly that port |
 * | `localhost`, `127.0.0.1`, `[::1]` | that host on any port and with any scheme (apps in a web view have `capacitor://localhost`) |
 * | `*` | every origin |
 */
export type AllowedDomain = string

/** RFC 1035: the longest host name. */
const MAX_HOST_LENGTH = 253

const HOST = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

/**
 * Normalizes a domain as entered, or fails with a sentence that says what is wrong with it. An origin copied from the address
 * bar (`https://Example.com/`) is accepted as its host; an address with a path, a query or credentials is not.
 */
export const parseAllowedDomain = (entered: string): Result.Result<AllowedDomain, string> => {
  const given = entered.trim()
  const reject = (why: string) => Result.fail(`${JSON.stringify(given.slice(0, 300))} ${why}`)
  if (given === "") return Result.fail("A domain is empty; give a host such as `example.com`.")
  if (given === "*") return Result.succeed("*")
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)
  if (scheme !== null && !/^https?$/i.test(scheme[1]!)) {
    return reject(`has the scheme \`${scheme[1]}\`; give only the host, such as \`example.com\`.`)
  }
  const rest = given.slice(scheme?.[0].length ?? 0).replace(/\/$/, "")
  if (/[/?#\\]/.test(rest)) return reject("has a path or query; give only the host, such as `example.com`.")
  if (/[\s@]/.test(rest))
    return reject("is not a host name; give one such as `example.com`, `*.example.com` or `localhost:8080`.")
  const wildcard = rest.startsWith("*.")
  const parts = /^(\[[0-9a-f:.]+\]|[^:[\]]*)(?::(\d{1,5}))?$/i.exec(wildcard ? rest.slice(2) : rest)
  if (parts === null) return reject("is not a host name with an optional port, such as `localhost:8080`.")
  const [, name = "", digits] = parts
  if (name.includes("*"))
    return reject("has a `*` in the middle; only a leading `*.` is allowed, as in `*.example.com`.")
  const url = URL.parse(`http://${name.replace(/\.$/, "")}/`)
  const host = url?.hostname ?? ""
  if (host === "" || host.length > MAX_HOST_LENGTH || !(HOST.test(host) || host.startsWith("["))) {
    return reject("is not a host name; give one such as `example.com`, `*.example.com` or `localhost:8080`.")
  }
  if (IPV4.test(host) && host !== name.replace(/\.$/, ""))
    return reject(`is not a host name; did you mean \`${host}\`?`)
  if (wildcard && (IPV4.test(host) || host.startsWith("[")))
    return reject("puts `*.` before an IP address, which has no subdomains.")
  const port = digits === undefined ? undefined : Number(digits)
  if (port !== undefined && (port < 1 || port > 65_535)) return reject("has a port outside 1 to 65535.")
  return Result.succeed(`${wildcard ? "*." : ""}${host}${port === undefined ? "" : `:${port}`}`)
}

/** Only lower case matches, and a host's final dot is left out. */
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]+\]|[^:/?#[\]A-Z]+?)\.?(?::(\d{1,5}))?$/
const schemePort: Readonly<Record<string, string>> = { http: "80", https: "443" }

/** A domain's host and port, where `""` is any port of http and https, and `*` any port of any scheme. */
const splitPort = (domain: AllowedDomain): readonly [host: string, port: string] => {
  const colon = domain.lastIndexOf(":")
  const [host, port] =
    colon > domain.lastIndexOf("]") ? [domain.slice(0, colon), domain.slice(colon + 1)] : [domain, ""]
  return [host, port === "" && LOOPBACK.has(host.replace(/^\*\./, "")) ? "*" : port]
}

/** Matches `Origin` headers against a site's domains. It is built once per change, so that matching is cheap. */
export interface OriginMatcher {
  /** True when every origin is allowed: there are no domains, or one is `*`. */
  readonly everything: boolean
  /** `origin` as a browser sends it. The origin `null` (sandboxed frames, files) matches no domain. */
  readonly matches: (origin: string) => boolean
}

/** `domains` must be normalized. */
export const originMatcher = (domains: Iterable<AllowedDomain>): OriginMatcher => {
  const exact = new Set<string>()
  const below = new Set<string>()
  let any = false
  let count = 0
  for (const domain of domains) {
    count++
    if (domain === "*") any = true
    const [host, port] = splitPort(domain)
    if (host.startsWith("*.")) below.add(`${host.slice(2)} ${port}`)
    else {
      exact.add(`${host} ${port}`)
      if (port !== "*") exact.add(`${host.startsWith("www.") ? host.slice(4) : `www.${host}`} ${port}`)
    }
  }
  if (any || count === 0) return { everything: true, matches: () => true }

  const matches = (origin: string): boolean => {
    const parts = ORIGIN.exec(origin) ?? ORIGIN.exec(origin.toLowerCase())
    if (parts === null) return false
    const [, scheme, host, given] = parts as unknown as readonly [string, string, string, string | undefined]
    const defaultPort = schemePort[scheme]
    const ports = ["*"]
    // A browser omits the scheme's default port, so both spellings are the same origin.
    if (defaultPort !== undefined) ports.push("", given ?? defaultPort)
    for (const port of ports) {
      if (exact.has(`${host} ${port}`)) return true
      if (below.size === 0) continue
      for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
        if (below.has(`${host.slice(dot + 1)} ${port}`)) return true
      }
    }
    return false
  }
  return { everything: false, matches }
}
