import { Schema, SchemaTransformation } from "effect"
import { isAddressRange, isProxyTrust } from "./addressRange.ts"

/** A value someone may configure. Values are strings outside and typed inside. */
export interface Setting<A> {
  /** Name in the settings table and the API: the variable's name in lower kebab case. */
  readonly name: string
  /** Name of the environment variable; Umami's where it has one. */
  readonly env: string
  readonly schema: Schema.Codec<A, string>
  readonly default: A
  /** The default in words, for the documentation. */
  readonly defaultText: string
  readonly accepts: string
  readonly secret: boolean
  /** Read from the environment alone: needed before the table can be reached. */
  readonly environmentOnly: boolean
  /** Changes in the table take effect without a restart. */
  readonly live: boolean
  readonly doc: string
  readonly group: SettingGroup
}

export const SETTING_GROUPS = [
  "Server",
  "Storage",
  "Collect",
  "Visitors",
  "Security",
  "Feature gate",
  "Logging"
] as const
export type SettingGroup = (typeof SETTING_GROUPS)[number]

type Extra = {
  readonly secret?: true
  readonly environmentOnly?: true
  readonly live?: true
  readonly defaultText?: string
}

const registry: Array<Setting<unknown>> = []

const define = <A>(
  group: SettingGroup,
  env: string,
  accepts: string,
  schema: Schema.Codec<A, string>,
  fallback: A,
  doc: string,
  extra: Extra = {}
): Setting<A> => {
  const setting: Setting<A> = {
    name: env.toLowerCase().replaceAll("_", "-"),
    env,
    schema,
    default: fallback,
    defaultText: extra.defaultText ?? (fallback === null ? "none" : String(fallback)),
    accepts,
    secret: extra.secret ?? false,
    environmentOnly: extra.environmentOnly ?? false,
    live: extra.live ?? false,
    doc,
    group
  }
  registry.push(setting as Setting<unknown>)
  return setting
}

const Text = Schema.String.check(Schema.isMinLength(1))
const OptionalText: Schema.Codec<string | null, string> = Text

const whole = (minimum: number, maximum: number): Schema.Codec<number, string> =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum }))

const positive: Schema.Codec<number | null, string> = Schema.FiniteFromString.check(Schema.isGreaterThan(0))

/** Umami's flags: present and not empty is on, "0" and "false" included. */
const Flag: Schema.Codec<boolean, string> = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Boolean,
    SchemaTransformation.transform({ decode: (text) => text !== "", encode: (on) => (on ? "1" : "") })
  )
)

const CommaList: Schema.Codec<ReadonlyArray<string>, string> = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Array(Schema.String),
    SchemaTransformation.transform({
      decode: (text): ReadonlyArray<string> =>
        text
          .split(",")
          .map((part) => part.trim())
          .filter((part) => part !== ""),
      encode: (parts: ReadonlyArray<string>) => parts.join(",")
    })
  )
)

const HttpUrl = Schema.String.check(
  Schema.makeFilter((text) => {
    const url = URL.parse(text)
    return url !== null && (url.protocol === "http:" || url.protocol === "https:")
  })
)

// Server

export const PORT = define(
  "Server",
  "PORT",
  "0 to 65535",
  whole(0, 65_535),
  3000,
  "Port to listen on; 0 picks a free one.",
  {
    environmentOnly: true
  }
)
export const HOST = define("Server", "HOST", "an address of this machine", Text, "0.0.0.0", "Address to listen on.", {
  environmentOnly: true
})
export const MODE = define(
  "Server",
  "MODE",
  "`full` or `collector`",
  Schema.Literals(["full", "collector"]),
  "full",
  "What `bun run full` runs: everything, or the collector alone.",
  { environmentOnly: true }
)
export const WORKERS = define(
  "Server",
  "WORKERS",
  "1 to 64",
  whole(1, 64),
  1,
  "Collector processes that share the port, under one supervisor.",
  { environmentOnly: true }
)
export const PUBLIC_URL = define(
  "Server",
  "PUBLIC_URL",
  "an http(s) URL",
  HttpUrl as Schema.Codec<string | null, string>,
  null,
  "Address of this server as browsers see it; goes into snippets.",
  { defaultText: "`http://localhost:PORT`" }
)
export const SHUTDOWN_TIMEOUT_SECONDS = define(
  "Server",
  "SHUTDOWN_TIMEOUT_SECONDS",
  "1 to 600",
  whole(1, 600),
  25,
  "How long a stopping process may take to answer and store what it accepted; after that it exits with 1 and says what was left."
)

// Storage

export const DATABASE_URL = define(
  "Storage",
  "DATABASE_URL",
  "a postgres:// URL",
  Schema.String.check(Schema.isPattern(/^postgres(ql)?:\/\//)) as Schema.Codec<string | null, string>,
  null,
  "The app database. Without it an embedded Postgres is started with its data in `DATA_DIR`.",
  { secret: true, environmentOnly: true }
)
export const DATA_DIR = define(
  "Storage",
  "DATA_DIR",
  "a folder",
  Text,
  ".footfall",
  "Where the embedded Postgres keeps its data.",
  { environmentOnly: true }
)
export const DATABASE_POOL_SIZE = define(
  "Storage",
  "DATABASE_POOL_SIZE",
  "2 to 100",
  whole(2, 100),
  6,
  "Connections of one process to the app database, those of the event writer not counted.",
  { environmentOnly: true }
)
export const STORAGE_BACKEND = define(
  "Storage",
  "STORAGE_BACKEND",
  "`postgres`",
  Schema.Literals(["postgres"]),
  "postgres",
  "Where events are stored."
)
export const STORAGE_BATCH_SIZE = define(
  "Storage",
  "STORAGE_BATCH_SIZE",
  "1 to 10000",
  whole(1, 10_000),
  1_000,
  "Most records written by one statement."
)
export const STORAGE_IN_FLIGHT = define(
  "Storage",
  "STORAGE_IN_FLIGHT",
  "1 to 16",
  whole(1, 16),
  2,
  "Batches written at the same time, each on a connection of its own."
)
export const STORAGE_QUEUE_EVENTS = define(
  "Storage",
  "STORAGE_QUEUE_EVENTS",
  "100 to 10000000",
  whole(100, 10_000_000),
  20_000,
  "Records that may wait to be written; past it clients get 503 with `Retry-After`."
)
export const STORAGE_QUEUE_BYTES = define(
  "Storage",
  "STORAGE_QUEUE_BYTES",
  "1048576 to 17179869184",
  whole(1 << 20, 17_179_869_184),
  67_108_864,
  "Estimated bytes that may wait to be written; past it clients get 503 with `Retry-After`."
)
export const STORAGE_TIMEOUT_SECONDS = define(
  "Storage",
  "STORAGE_TIMEOUT_SECONDS",
  "1 to 120",
  whole(1, 120),
  10,
  "How long a record may wait for its commit before the client gets 503."
)

// Collect

export const COLLECT_API_ENDPOINT = define(
  "Collect",
  "COLLECT_API_ENDPOINT",
  "paths, comma separated, each starting with `/`",
  CommaList.check(Schema.makeFilter((paths) => paths.every((path) => /^\/[\w\-./~]*$/.test(path)))),
  [],
  "Further paths that answer like `/api/send`.",
  { defaultText: "none" }
)
export const MAX_BODY_BYTES = define(
  "Collect",
  "MAX_BODY_BYTES",
  "1024 to 104857600",
  whole(1_024, 104_857_600),
  1_048_576,
  "Largest body of `/api/send`, compressed and not; larger ones get 413."
)
export const MAX_BATCH_BODY_BYTES = define(
  "Collect",
  "MAX_BATCH_BODY_BYTES",
  "1024 to 104857600",
  whole(1_024, 104_857_600),
  10_485_760,
  "Largest body of `/api/batch`, compressed and not; larger ones get 413."
)
export const MAX_BATCH_ITEMS = define(
  "Collect",
  "MAX_BATCH_ITEMS",
  "1 to 100000",
  whole(1, 100_000),
  5_000,
  "Most items of one batch; longer ones get 413."
)
export const BODY_TIMEOUT_SECONDS = define(
  "Collect",
  "BODY_TIMEOUT_SECONDS",
  "1 to 120",
  whole(1, 120),
  10,
  "How long a body may take to arrive; after that the client gets 408."
)
export const RATE_LIMIT_EVENTS_PER_SECOND = define(
  "Collect",
  "RATE_LIMIT_EVENTS_PER_SECOND",
  "a number above 0",
  positive,
  null,
  "Events a second that each site may send to each collector process; past it clients get 429 with `Retry-After`. A site's own limit comes first.",
  { live: true, defaultText: "none: no limit" }
)
export const RATE_LIMIT_BURST = define(
  "Collect",
  "RATE_LIMIT_BURST",
  "1 to 10000000",
  whole(1, 10_000_000) as Schema.Codec<number | null, string>,
  null,
  "Events that a site may send at once before its rate applies.",
  { live: true, defaultText: "twice the rate" }
)
export const CORS_MAX_AGE = define(
  "Collect",
  "CORS_MAX_AGE",
  "0 to 604800",
  whole(0, 604_800),
  86_400,
  "Seconds that browsers may cache a preflight answer."
)
export const TRACKER_SCRIPT_URL = define(
  "Collect",
  "TRACKER_SCRIPT_URL",
  "an http(s) URL",
  HttpUrl,
  "https://cloud.umami.is/script.js",
  "Where snippets load Umami's tracker from; host your own copy to be independent of it."
)

// Visitors

export const SALT_ROTATION = define(
  "Visitors",
  "SALT_ROTATION",
  "`day`, `week` or `month`",
  Schema.Literals(["day", "week", "month"]),
  "month",
  "How long an anonymous visitor keeps the same session id. Same meaning as Umami's; the period starts in the time zone `TZ`."
)
export const CLIENT_IP_HEADER = define(
  "Visitors",
  "CLIENT_IP_HEADER",
  "a header's name, such as `X-Real-IP`",
  // RFC 9110, 5.6.2: asking a request for any other name would throw.
  Schema.String.check(Schema.isPattern(/^[\w!#$%&'*+.^`|~-]+$/)) as Schema.Codec<string | null, string>,
  null,
  "Header that holds the client's address, before Umami's list; believed from trusted proxies only."
)
export const TRUST_PROXY = define(
  "Visitors",
  "TRUST_PROXY",
  "`none`, `all`, a number of hops, or a comma list of addresses, CIDRs, `loopback`, `linklocal`, `uniquelocal`",
  Text.check(Schema.makeFilter(isProxyTrust)),
  "loopback",
  "Whose `X-Forwarded-For` and the like are believed."
)
export const IGNORE_IP = define(
  "Visitors",
  "IGNORE_IP",
  "addresses and CIDRs, comma separated",
  CommaList.check(Schema.makeFilter((ranges) => ranges.every(isAddressRange))),
  [],
  "Clients whose events are refused with 403.",
  { defaultText: "none" }
)
export const GEOLITE_DB_PATH = define(
  "Visitors",
  "GEOLITE_DB_PATH",
  "a file",
  OptionalText,
  null,
  "MaxMind database (GeoLite2-City or the like); reloaded when the file changes.",
  { defaultText: "none: `./geo/GeoLite2-City.mmdb` if it is there" }
)
export const SKIP_LOCATION_HEADERS = define(
  "Visitors",
  "SKIP_LOCATION_HEADERS",
  "anything is on",
  Flag,
  false,
  "Ignore the location headers of Cloudflare, Vercel, CloudFront and EdgeOne.",
  { defaultText: "off" }
)
export const DISABLE_BOT_CHECK = define(
  "Visitors",
  "DISABLE_BOT_CHECK",
  "anything is on",
  Flag,
  false,
  "Store events of bots as well.",
  { defaultText: "off" }
)
export const REMOVE_TRAILING_SLASH = define(
  "Visitors",
  "REMOVE_TRAILING_SLASH",
  "anything is on",
  Flag,
  false,
  "Store `/a/` as `/a`.",
  { defaultText: "off" }
)

// Security

export const APP_SECRET = define(
  "Security",
  "APP_SECRET",
  "8 characters or more, not a known placeholder",
  Schema.String.check(Schema.isMinLength(8)) as Schema.Codec<string | null, string>,
  null,
  "Secret behind session ids and tokens. Give Umami's to keep its visitors. Without one, `ENCRYPTION_SECRET_KEY` is used, else one is generated and kept in the app database.",
  { secret: true, environmentOnly: true, defaultText: "generated once" }
)
export const ENCRYPTION_SECRET_KEY = define(
  "Security",
  "ENCRYPTION_SECRET_KEY",
  "16 characters or more, not a known placeholder",
  Schema.String.check(Schema.isMinLength(16)) as Schema.Codec<string | null, string>,
  null,
  "Secret that stands in for `APP_SECRET` when that is not given.",
  { secret: true, environmentOnly: true }
)

export const METRICS_TOKEN = define(
  "Security",
  "METRICS_TOKEN",
  "16 characters or more",
  Schema.String.check(Schema.isMinLength(16)) as Schema.Codec<string | null, string>,
  null,
  "When given, `/metrics` wants it as `Authorization: Bearer`. Without it, keep `/metrics` from the public at the proxy.",
  { secret: true, defaultText: "none: open" }
)

// Feature gate

export const FEATURE_GATE = define(
  "Feature gate",
  "FEATURE_GATE",
  "`open` or `token`",
  Schema.Literals(["open", "token"]),
  "open",
  "`token`: product analytics needs a valid licence token."
)
export const LICENSE_PUBLIC_KEY = define(
  "Feature gate",
  "LICENSE_PUBLIC_KEY",
  "an Ed25519 public key: PEM (SPKI) or JWK",
  OptionalText,
  null,
  "Key that licence tokens are checked against; needed with `FEATURE_GATE=token`."
)
export const LICENSE_TOKEN = define(
  "Feature gate",
  "LICENSE_TOKEN",
  "a JWT signed with EdDSA",
  OptionalText,
  null,
  "The licence: claims `features` (holds `product-analytics`) and `exp`.",
  { secret: true, live: true }
)

// Logging

export const LOG_FORMAT = define(
  "Logging",
  "LOG_FORMAT",
  "`pretty` or `json`",
  Schema.Literals(["pretty", "json"]),
  "pretty",
  "How log lines look.",
  { environmentOnly: true }
)
export const LOG_LEVEL = define(
  "Logging",
  "LOG_LEVEL",
  "`debug`, `info`, `warn` or `error`",
  Schema.Literals(["debug", "info", "warn", "error"]),
  "info",
  "Least important level that is logged.",
  { environmentOnly: true }
)

/** Every setting, in the order of the documentation. */
export const SETTINGS: ReadonlyArray<Setting<unknown>> = registry

/** A setting by its table name or its variable's name, in upper or lower case. */
export const findSetting = (name: string): Setting<unknown> | undefined => {
  const wanted = name.toLowerCase().replaceAll("_", "-")
  return registry.find((setting) => setting.name === wanted)
}

/** The value, or a sentence that names the variable, what it was given (secrets are not shown) and what it accepts. */
export const decodeSetting = <A>(
  setting: Setting<A>,
  text: string
): { readonly ok: true; readonly value: A } | { readonly ok: false; readonly message: string } => {
  const result = Schema.decodeUnknownResult(setting.schema)(text)
  if (result._tag === "Success") return { ok: true, value: result.success }
  const given = setting.secret ? "a value of the wrong form" : JSON.stringify(text)
  return { ok: false, message: `${setting.env} is ${given}; it accepts ${setting.accepts}.` }
}
