import { settingsOf } from "./Setting.ts"
import { oneOf, optional, string } from "./types.ts"

const define = settingsOf("Feature gate")

export const FEATURE_GATE = define({
  env: "FEATURE_GATE",
  type: oneOf("open", "token"),
  default: "open",
  doc: "With `token`, product analytics requires a valid license token."
})
export const LICENSE_PUBLIC_KEY = define({
  env: "LICENSE_PUBLIC_KEY",
  type: optional(string("an Ed25519 public key: PEM (SPKI) or JWK")),
  default: null,
  doc: "Key that license tokens are verified with. Required with `FEATURE_GATE=token`."
})
export const LICENSE_TOKEN = define({
  env: "LICENSE_TOKEN",
  type: optional(string("a JWT signed with EdDSA")),
  default: null,
  doc: "The license, with the claims `features` (which must include `product-analytics`) and `exp`.",
  secret: true,
  live: true
})
