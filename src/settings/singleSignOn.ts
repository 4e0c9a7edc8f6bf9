import { Result, Schema, SchemaTransformation } from "effect"
import { settingsOf } from "./Setting.ts"
import type { GetSetting } from "./startProblems.ts"
import { integer, onOff, optional, type SettingType, string } from "./types.ts"

const define = settingsOf("Single sign-on")

const isIssuer = (value: string): boolean => {
  const url = URL.parse(value)
  if (url === null || url.search !== "" || url.hash !== "") return false
  // Without TLS, anybody between here and the provider could sign in as anyone.
  const isLocal = url.hostname === "localhost" || url.hostname === "127.0.0.1" || url.hostname === "[::1]"
  return url.protocol === "https:" || (url.protocol === "http:" && isLocal)
}

const issuer: SettingType<string> = {
  accepts: "an https URL such as `https://accounts.example.com`, or http on this machine",
  schema: Schema.String.check(Schema.makeFilter((value) => isIssuer(value)))
}

/** Which groups a value of the provider's claim stands for. */
export interface GroupMap {
  readonly written: string
  readonly groupsOf: ReadonlyMap<string, ReadonlyArray<string>>
}

const Groups = Schema.fromJsonString(
  Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Array(Schema.String)]))
)

const parseGroupMap = (written: string): Result.Result<GroupMap, unknown> =>
  Result.map(Schema.decodeUnknownResult(Groups)(written), (groups) => ({
    written,
    groupsOf: new Map(
      Object.entries(groups).map(([value, names]) => [value, typeof names === "string" ? [names] : names])
    )
  }))

const groupMap: SettingType<GroupMap> = {
  accepts:
    'a JSON object from values of the claim to names of groups, such as `{"staff":"Analysts","it":["Administrators"]}`',
  defaultText: ({ groupsOf }) => (groupsOf.size === 0 ? "none" : undefined),
  schema: Schema.String.check(Schema.makeFilter((value) => Result.isSuccess(parseGroupMap(value)))).pipe(
    Schema.decodeTo(
      Schema.declare((value): value is GroupMap => typeof value === "object" && value !== null && "groupsOf" in value),
      SchemaTransformation.transform({
        decode: (value: string) => Result.getOrThrow(parseGroupMap(value)),
        encode: ({ written }: GroupMap) => written
      })
    )
  )
}

export const OIDC_ISSUER = define({
  env: "OIDC_ISSUER",
  type: optional(issuer),
  default: null,
  doc: "The OpenID Connect provider with which users may sign in. Needs `OIDC_CLIENT_ID`, and the redirect URI `PUBLIC_URL/auth/sso/callback` at the provider.",
  live: true
})
export const OIDC_CLIENT_ID = define({
  env: "OIDC_CLIENT_ID",
  type: optional(string("the client's id at the provider")),
  default: null,
  doc: "The client that the provider has for Footfall.",
  live: true
})
/** Which of the two settings that name a provider is set without the other; null if both are, or neither. */
export const unfinishedProvider = (get: GetSetting): { readonly set: string; readonly missing: string } | null => {
  const [hasIssuer, hasClient] = [get(OIDC_ISSUER) !== null, get(OIDC_CLIENT_ID) !== null]
  if (hasIssuer === hasClient) return null
  const [set, missing] = hasIssuer ? [OIDC_ISSUER, OIDC_CLIENT_ID] : [OIDC_CLIENT_ID, OIDC_ISSUER]
  return { set: set.env, missing: missing.env }
}

export const OIDC_CLIENT_SECRET = define({
  env: "OIDC_CLIENT_SECRET",
  type: optional(string("the client's secret at the provider")),
  default: null,
  defaultText: "none, for a public client",
  doc: "The client's secret, sent with `client_secret_post`. PKCE is always used.",
  secret: true,
  live: true
})
export const OIDC_NAME = define({
  env: "OIDC_NAME",
  type: string("a name of at most 50 characters", /^(?=.*\S)[^\p{Cc}]{1,50}$/u),
  default: "single sign-on",
  doc: "What the sign-in page calls the provider.",
  live: true
})
export const OIDC_SCOPES = define({
  env: "OIDC_SCOPES",
  type: string(
    "scopes, separated by spaces, with `openid` among them",
    /^(?=(?:.* )?openid(?: |$))[\x21-\x7e]+(?: [\x21-\x7e]+)*$/
  ),
  default: "openid email profile",
  doc: "What Footfall asks the provider for. Some providers need another scope for groups.",
  live: true
})
export const OIDC_AUTO_PROVISION = define({
  env: "OIDC_AUTO_PROVISION",
  type: onOff,
  default: false,
  doc: "Create a user for everyone whom the provider lets in. Otherwise only users with the same, verified email can sign in.",
  live: true
})
export const OIDC_SIGN_OUT = define({
  env: "OIDC_SIGN_OUT",
  type: onOff,
  default: true,
  doc: "Whether users who sign out here also sign out at the provider, if it supports that. Needs the post-logout redirect URI `PUBLIC_URL/auth/sso/signed-out` at the provider.",
  live: true
})
export const OIDC_TRUST_EMAIL = define({
  env: "OIDC_TRUST_EMAIL",
  type: onOff,
  default: false,
  doc: "Take every email of the provider as verified, for providers that do not send `email_verified`. Only if people cannot choose their email there.",
  live: true
})
export const OIDC_GROUPS_CLAIM = define({
  env: "OIDC_GROUPS_CLAIM",
  type: optional(string("the name of a claim, such as `groups` or `realm_access.roles`")),
  default: null,
  defaultText: "none: groups are managed here",
  doc: "Claim with the groups that a user has at the provider, as a string or a list. At each sign-in, the user joins and leaves the groups of `OIDC_GROUP_MAP` accordingly.",
  live: true
})
export const OIDC_GROUP_MAP = define({
  env: "OIDC_GROUP_MAP",
  type: groupMap,
  default: { written: "{}", groupsOf: new Map<string, ReadonlyArray<string>>() },
  doc: "Which of Footfall's groups the values of `OIDC_GROUPS_CLAIM` stand for. Groups that it does not name stay as they are.",
  live: true
})
/** A warning about a group of `OIDC_GROUP_MAP`. */
export const missingGroup = (name: string): string =>
  `OIDC_GROUP_MAP names the group ${JSON.stringify(name)}, which does not exist. Create it (\`bun run footfall groups create\`), or correct the name.`

export const OIDC_CLOCK_SKEW_SECONDS = define({
  env: "OIDC_CLOCK_SKEW_SECONDS",
  type: integer({ min: 0, max: 600, unit: "seconds" }),
  default: 60,
  doc: "How far the provider's clock may be from this server's.",
  live: true
})
