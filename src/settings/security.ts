import { settingsOf } from "./Setting.ts"
import { longString, optional } from "./types.ts"

const define = settingsOf("Security")

export const APP_SECRET = define({
  env: "APP_SECRET",
  type: optional(longString(8, ", such as the output of `openssl rand -base64 32`; no known placeholder")),
  default: null,
  defaultText: "generated once",
  doc: "Secret that session ids and tokens are derived from. Use Umami's to keep its visitors. Without it, `ENCRYPTION_SECRET_KEY` is used; without both, one is generated and kept in the app database.",
  secret: true,
  environmentOnly: true
})
export const ENCRYPTION_SECRET_KEY = define({
  env: "ENCRYPTION_SECRET_KEY",
  type: optional(longString(16, ", such as the output of `openssl rand -base64 32`; no known placeholder")),
  default: null,
  doc: "Used in place of `APP_SECRET` if that is not set.",
  secret: true,
  environmentOnly: true
})
export const METRICS_TOKEN = define({
  env: "METRICS_TOKEN",
  type: optional(longString(16, ", such as the output of `openssl rand -base64 32`")),
  default: null,
  defaultText: "none: open",
  doc: "If set, `/metrics` requires it as a bearer token. Otherwise block `/metrics` at the proxy.",
  secret: true
})
