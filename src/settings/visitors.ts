import { settingsOf } from "./Setting.ts"
import { addressList, flag, NO_ADDRESSES, oneOf, optional, proxyTrust, string, TRUST_PRIVATE } from "./types.ts"

const define = settingsOf("Visitors")

export const SALT_ROTATION = define({
  env: "SALT_ROTATION",
  type: oneOf("day", "week", "month"),
  default: "month",
  doc: "How long an anonymous visitor keeps the same session id. Same meaning as Umami's; periods start in the time zone `TZ`."
})
export const CLIENT_IP_HEADER = define({
  env: "CLIENT_IP_HEADER",
  // RFC 9110, 5.6.2: reading a header of any other name would throw.
  type: optional(string("a header name, such as `X-Real-IP`", /^[\w!#$%&'*+.^`|~-]+$/)),
  default: null,
  doc: "Header that holds the client's address, checked before `X-Forwarded-For`. Only trusted proxies may set it, and they must overwrite what clients send. A CDN's own header, such as `CF-Connecting-IP`, also turns on its location headers."
})
export const TRUST_PROXY = define({
  env: "TRUST_PROXY",
  type: proxyTrust,
  default: TRUST_PRIVATE,
  doc: "Which proxies' `X-Forwarded-For` and similar headers are trusted. `private` is loopback, link-local, unique-local and 100.64.0.0/10. Wrong where clients connect from such addresses without a proxy: see the deployment page."
})
export const IGNORE_IP = define({
  env: "IGNORE_IP",
  type: addressList,
  default: NO_ADDRESSES,
  doc: "Clients whose events are rejected with 403."
})
export const GEOLITE_DB_PATH = define({
  env: "GEOLITE_DB_PATH",
  type: optional(string("a file")),
  default: null,
  defaultText: "none: `./geo/GeoLite2-City.mmdb` if it exists",
  doc: "MaxMind database (GeoLite2-City or similar); reloaded when the file changes."
})
export const SKIP_LOCATION_HEADERS = define({
  env: "SKIP_LOCATION_HEADERS",
  type: flag,
  default: false,
  doc: "Ignore the location headers of Cloudflare, Vercel, CloudFront and EdgeOne."
})
export const DISABLE_BOT_CHECK = define({
  env: "DISABLE_BOT_CHECK",
  type: flag,
  default: false,
  doc: "Store events from bots too."
})
export const REMOVE_TRAILING_SLASH = define({
  env: "REMOVE_TRAILING_SLASH",
  type: flag,
  default: false,
  doc: "Store `/a/` as `/a`."
})
