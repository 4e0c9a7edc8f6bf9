import { Schema, SchemaTransformation } from "effect"
import { isAddressRange, isProxyTrust } from "../lib/addressRange.ts"

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
  "Lake",
  "Warehouse",
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
  "`postgres` or `iceberg`",
  Schema.Literals(["postgres", "iceberg"]),
  "postgres",
  "Where events are stored: the app database, or an Iceberg lake on S3 or in a folder."
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
  "Batches written at the same time, each on a connection of its own. Beside others one begins with 96 records, or after 0.1 s."
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

// Lake

const LAKE = "PRODUCT_ANALYTICS_ICEBERG_"
const NAME = Schema.String.check(Schema.isPattern(/^[a-zA-Z_][\w-]{0,127}$/))
/** Levels with dots between, as engines write them. */
const NAMESPACE = Schema.String.check(Schema.isPattern(/^[a-z_][a-z0-9_]{0,127}(\.[a-z_][a-z0-9_]{0,127}){0,7}$/))

export const LAKE_CATALOG_TYPE = define(
  "Lake",
  `${LAKE}CATALOG_TYPE`,
  "`jdbc`, `rest`, `hadoop` or `glue`",
  Schema.Literals(["jdbc", "rest", "hadoop", "glue"]),
  "jdbc",
  "Which catalog says what the lake's tables are. `jdbc`: in the app database, byte-compatible with Java's JdbcCatalog. `hadoop`: files beside the tables, for one writing process."
)
export const LAKE_CATALOG_NAME = define(
  "Lake",
  `${LAKE}CATALOG_NAME`,
  "letters, digits, `_` and `-`",
  NAME,
  "footfall",
  "The catalog's name. With `jdbc` it is part of the key: every other engine must use the same."
)
export const LAKE_NAMESPACE = define(
  "Lake",
  `${LAKE}NAMESPACE`,
  "lower-case letters, digits and `_`, levels with dots between",
  NAMESPACE,
  "product_analytics",
  "The namespace (database) of the lake's tables."
)
export const LAKE_WAREHOUSE = define(
  "Lake",
  `${LAKE}WAREHOUSE`,
  "an `s3://bucket/prefix` or `file:///folder` URL; with `rest`, the warehouse's name in the catalog",
  OptionalText,
  null,
  "Where the lake's files are; a `file:` URL makes a local lake.",
  { defaultText: "`s3://S3_BUCKET/S3_PREFIX`" }
)
export const LAKE_S3_BUCKET = define(
  "Lake",
  `${LAKE}S3_BUCKET`,
  "a bucket's name",
  Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)) as Schema.Codec<string | null, string>,
  null,
  "The bucket of the lake; needed unless a warehouse is given."
)
export const LAKE_S3_PREFIX = define(
  "Lake",
  `${LAKE}S3_PREFIX`,
  "a key's beginning",
  Schema.String.check(Schema.isPattern(/^[\w\-./=]*$/)),
  "product-analytics/",
  "Beginning of every key in the bucket; `/` for none."
)
export const LAKE_S3_ENDPOINT = define(
  "Lake",
  `${LAKE}S3_ENDPOINT`,
  "an http(s) URL",
  HttpUrl as Schema.Codec<string | null, string>,
  null,
  "Any other S3 server than AWS's: Garage, MinIO, Ceph, SeaweedFS, R2. Addressed by path.",
  { defaultText: "none: AWS" }
)
export const LAKE_AWS_REGION = define(
  "Lake",
  `${LAKE}AWS_REGION`,
  "a region's name",
  OptionalText,
  null,
  "Region of the bucket, and of Glue.",
  { defaultText: "`AWS_REGION`, the profile's, else `us-east-1`" }
)
export const LAKE_AWS_ACCESS_KEY = define(
  "Lake",
  `${LAKE}AWS_ACCESS_KEY`,
  "an access key id",
  OptionalText,
  null,
  "Access key of the bucket (and of Glue). Without one, the usual places are searched: environment, profile, instance role.",
  { secret: true, defaultText: "the usual places" }
)
export const LAKE_AWS_SECRET_KEY = define(
  "Lake",
  `${LAKE}AWS_SECRET_KEY`,
  "the access key's secret",
  OptionalText,
  null,
  "Secret of the access key.",
  { secret: true, defaultText: "the usual places" }
)
export const LAKE_CATALOG_URI = define(
  "Lake",
  `${LAKE}CATALOG_URI`,
  "`rest`: an http(s) URL; `glue`: a region; `jdbc`: a postgres:// URL",
  OptionalText,
  null,
  "Where the catalog is, when it is not the app database.",
  { secret: true, defaultText: "`jdbc`: the app database; `glue`: the region" }
)
export const LAKE_CATALOG_CREDENTIALS = define(
  "Lake",
  `${LAKE}CATALOG_CREDENTIALS`,
  "`client-id:client-secret` for OAuth2, `token:…` for a bearer token, `sigv4` for AWS signatures",
  Schema.String.check(Schema.isPattern(/^(sigv4|[^:]+:.+)$/)) as Schema.Codec<string | null, string>,
  null,
  "How a `rest` catalog is spoken to.",
  { secret: true, defaultText: "none: no authentication" }
)
export const LAKE_OAUTH2_SERVER_URI = define(
  "Lake",
  `${LAKE}OAUTH2_SERVER_URI`,
  "an http(s) URL",
  HttpUrl as Schema.Codec<string | null, string>,
  null,
  "Where a `rest` catalog's tokens come from.",
  { defaultText: "`CATALOG_URI/v1/oauth/tokens`" }
)
export const LAKE_OAUTH2_SCOPE = define(
  "Lake",
  `${LAKE}OAUTH2_SCOPE`,
  "a scope",
  Text,
  "catalog",
  "Scope of a `rest` catalog's tokens."
)
export const LAKE_SIGNING_NAME = define(
  "Lake",
  `${LAKE}SIGNING_NAME`,
  "an AWS service's name, such as `glue` or `s3tables`",
  Text,
  "execute-api",
  "Service that a `rest` catalog's AWS signatures are made for."
)
export const LAKE_FLUSH_INTERVAL_SECONDS = define(
  "Lake",
  `${LAKE}FLUSH_INTERVAL_SECONDS`,
  "1 to 3600",
  whole(1, 3_600),
  30,
  "Longest time between two commits while there are events: how fresh the lake is."
)
export const LAKE_FLUSH_BATCH_SIZE = define(
  "Lake",
  `${LAKE}FLUSH_BATCH_SIZE`,
  "1 to 10000000",
  whole(1, 10_000_000),
  1_000,
  "Events for each site since the last commit that bring the next one forward, though never closer than five seconds: more commits make smaller files."
)
export const LAKE_FLUSH_BYTES = define(
  "Lake",
  `${LAKE}FLUSH_BYTES`,
  "1048576 to 17179869184",
  whole(1 << 20, 17_179_869_184),
  67_108_864,
  "Bytes in a collector's log that bring the next commit forward."
)
export const SPOOL_DIR = define(
  "Lake",
  "SPOOL_DIR",
  "a folder on a local disk",
  OptionalText,
  null,
  "Where collectors keep what is accepted and not in the lake yet. Must outlive the process: a volume, in a container.",
  { environmentOnly: true, defaultText: "`DATA_DIR/spool`" }
)
export const SPOOL_MAX_BYTES = define(
  "Lake",
  "SPOOL_MAX_BYTES",
  "268435456 to 17592186044416",
  whole(256 << 20, 17_592_186_044_416),
  4_294_967_296,
  "Largest log of a collector; past it clients get 503 with `Retry-After` until the lake took some of it."
)
export const LAKE_SNAPSHOT_MAX_AGE_SECONDS = define(
  "Lake",
  `${LAKE}SNAPSHOT_MAX_AGE_SECONDS`,
  "60 to 31536000",
  whole(60, 31_536_000),
  1_800,
  "How long a snapshot is kept after it was replaced: how long a query may run, and how far back time travel goes."
)
export const LAKE_SNAPSHOTS_MIN = define(
  "Lake",
  `${LAKE}SNAPSHOTS_MIN`,
  "1 to 10000",
  whole(1, 10_000),
  10,
  "Snapshots kept whatever their age."
)
export const LAKE_ORPHAN_AGE_SECONDS = define(
  "Lake",
  `${LAKE}ORPHAN_AGE_SECONDS`,
  "86400 to 31536000",
  whole(86_400, 31_536_000),
  259_200,
  "How old a file that no table knows of must be to be removed; younger ones may belong to a commit on its way."
)
export const LAKE_COMPACTION_FILE_BYTES = define(
  "Lake",
  `${LAKE}COMPACTION_FILE_BYTES`,
  "16777216 to 1073741824",
  whole(16 << 20, 1 << 30),
  201_326_592,
  "Size that the files of past days are merged to."
)
export const LAKE_MAINTENANCE_INTERVAL_SECONDS = define(
  "Lake",
  `${LAKE}MAINTENANCE_INTERVAL_SECONDS`,
  "10 to 86400",
  whole(10, 86_400),
  300,
  "How often `bun run full` looks after the lake: old snapshots, many small manifests and files, files that nobody knows."
)

// Warehouse

export const WAREHOUSE = define(
  "Warehouse",
  "WAREHOUSE",
  "`postgres`, `trino` or `duckdb`",
  Schema.Literals(["postgres", "trino", "duckdb"]),
  "postgres",
  "What questions are asked: the app database, or with `STORAGE_BACKEND=iceberg` a Trino that reads the lake, or DuckDB inside this process."
)
export const WAREHOUSE_TIMEOUT_SECONDS = define(
  "Warehouse",
  "WAREHOUSE_TIMEOUT_SECONDS",
  "1 to 3600",
  whole(1, 3_600),
  30,
  "How long a question may take; then it is stopped where it runs."
)
export const TRINO_URL = define(
  "Warehouse",
  "TRINO_URL",
  "an http(s) URL",
  HttpUrl as Schema.Codec<string | null, string>,
  null,
  "Trino's coordinator; needed with `WAREHOUSE=trino`."
)
export const TRINO_USER = define(
  "Warehouse",
  "TRINO_USER",
  "a user's name",
  Text,
  "footfall",
  "Who asks Trino; needs to read the lake's tables and nothing else."
)
export const TRINO_PASSWORD = define(
  "Warehouse",
  "TRINO_PASSWORD",
  "a password, or `token:…` for a bearer token; with an https `TRINO_URL`",
  OptionalText,
  null,
  "The user's password or token.",
  { secret: true }
)
export const TRINO_CATALOG = define(
  "Warehouse",
  "TRINO_CATALOG",
  "letters, digits and `_`",
  Schema.String.check(Schema.isPattern(/^[a-zA-Z_]\w{0,127}$/)),
  "footfall",
  "Trino's name of the catalog that the lake is in."
)
export const DUCKDB_EXTENSION_DIRECTORY = define(
  "Warehouse",
  "DUCKDB_EXTENSION_DIRECTORY",
  "a folder",
  OptionalText,
  null,
  "Folder with `avro.duckdb_extension`, `httpfs.duckdb_extension` and `iceberg.duckdb_extension` for machines that can't fetch them.",
  { defaultText: "none: DuckDB fetches them once, to `~/.duckdb`" }
)
export const DUCKDB_MEMORY_LIMIT = define(
  "Warehouse",
  "DUCKDB_MEMORY_LIMIT",
  "a size such as `512MB` or `2GB`",
  Schema.String.check(Schema.isPattern(/^\d{1,6}(MB|MiB|GB|GiB)$/)),
  "1GB",
  "Most memory for questions to DuckDB; one that needs more is refused."
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
  "`token`: product analytics needs a valid license token."
)
export const LICENSE_PUBLIC_KEY = define(
  "Feature gate",
  "LICENSE_PUBLIC_KEY",
  "an Ed25519 public key: PEM (SPKI) or JWK",
  OptionalText,
  null,
  "Key that license tokens are checked against; needed with `FEATURE_GATE=token`."
)
export const LICENSE_TOKEN = define(
  "Feature gate",
  "LICENSE_TOKEN",
  "a JWT signed with EdDSA",
  OptionalText,
  null,
  "The license: claims `features` (holds `product-analytics`) and `exp`.",
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
