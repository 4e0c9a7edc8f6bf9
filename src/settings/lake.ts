import { settingsOf } from "./Setting.ts"
import { httpUrl, integer, oneOf, optional, string } from "./types.ts"

const define = settingsOf("Lake")

const PREFIX = "PRODUCT_ANALYTICS_ICEBERG_"
/** Levels separated by dots, as engines write them. */
const NAMESPACE = /^[a-z_][a-z0-9_]{0,127}(\.[a-z_][a-z0-9_]{0,127}){0,7}$/

export const LAKE_CATALOG_TYPE = define({
  env: `${PREFIX}CATALOG_TYPE`,
  type: oneOf("jdbc", "rest", "hadoop", "glue"),
  default: "jdbc",
  doc: "The Iceberg catalog. `jdbc`: in the app database, byte-compatible with Java's JdbcCatalog. `hadoop`: files next to the tables, which only Footfall may write."
})
export const LAKE_CATALOG_NAME = define({
  env: `${PREFIX}CATALOG_NAME`,
  type: string("letters, digits, `_` and `-`", /^[a-zA-Z_][\w-]{0,127}$/),
  default: "footfall",
  doc: "Name of the catalog. With `jdbc` it is part of the key: every other engine must use the same name."
})
export const LAKE_NAMESPACE = define({
  env: `${PREFIX}NAMESPACE`,
  type: string("lower-case letters, digits and `_`, with dots between levels", NAMESPACE),
  default: "product_analytics",
  doc: "Namespace (database) of the lake's tables."
})
/** `?` and `#` begin other parts of a URL, and engines disagree about doubled slashes: each would look for the files elsewhere. */
const PLAIN_LOCATION = /^(?:[a-z0-9]+:\/\/)?(?!.*\/\/)[^?#]*$/

export const LAKE_WAREHOUSE = define({
  env: `${PREFIX}WAREHOUSE`,
  type: optional(
    string(
      "an `s3://bucket/prefix` or `file:///folder` URL without `?`, `#` or a doubled slash; with `rest`, the warehouse's name in the catalog",
      PLAIN_LOCATION
    )
  ),
  default: null,
  defaultText: "`s3://S3_BUCKET/S3_PREFIX`",
  doc: "Location of the lake's files; a `file:` URL makes a local lake."
})
export const LAKE_S3_BUCKET = define({
  env: `${PREFIX}S3_BUCKET`,
  type: optional(string("a bucket name", /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)),
  default: null,
  doc: "Bucket of the lake. Required unless a warehouse is set."
})
export const LAKE_S3_PREFIX = define({
  env: `${PREFIX}S3_PREFIX`,
  type: string(
    "a key prefix without `?`, `#`, a doubled slash or a slash at its start",
    /^(?:\/|(?!\/)(?!.*\/\/)[\w\-./=]*)$/
  ),
  default: "product-analytics/",
  doc: "Prefix of every key in the bucket; `/` for none."
})
export const LAKE_S3_ENDPOINT = define({
  env: `${PREFIX}S3_ENDPOINT`,
  type: optional(httpUrl),
  default: null,
  defaultText: "none: AWS",
  doc: "Endpoint of an S3 server other than AWS: Garage, MinIO, Ceph, SeaweedFS, R2. Uses path-style addressing."
})
export const LAKE_AWS_REGION = define({
  env: `${PREFIX}AWS_REGION`,
  type: optional(string("a region name")),
  default: null,
  defaultText: "`AWS_REGION`, the profile's, or else `us-east-1`",
  doc: "Region of the bucket, and of Glue."
})
export const LAKE_AWS_ACCESS_KEY = define({
  env: `${PREFIX}AWS_ACCESS_KEY`,
  type: optional(string("an access key id")),
  default: null,
  defaultText: "AWS's default chain",
  doc: "Access key for the bucket (and Glue). Without one, AWS's default chain applies: environment, profile, instance role.",
  secret: true
})
export const LAKE_AWS_SECRET_KEY = define({
  env: `${PREFIX}AWS_SECRET_KEY`,
  type: optional(string("the access key's secret")),
  default: null,
  defaultText: "AWS's default chain",
  doc: "Secret of the access key.",
  secret: true
})
export const LAKE_CATALOG_URI = define({
  env: `${PREFIX}CATALOG_URI`,
  type: optional(string("`rest`: an http(s) URL; `glue`: a region; `jdbc`: a postgres:// URL")),
  default: null,
  defaultText: "`jdbc`: the app database; `glue`: the region",
  doc: "Location of the catalog, if it is not in the app database.",
  secret: true
})
export const LAKE_CATALOG_CREDENTIALS = define({
  env: `${PREFIX}CATALOG_CREDENTIALS`,
  type: optional(
    string(
      "`client-id:client-secret` for OAuth2, `token:…` for a bearer token, `sigv4` for AWS signatures",
      /^(sigv4|[^:]+:.+)$/
    )
  ),
  default: null,
  defaultText: "none: no authentication",
  doc: "Credentials for a `rest` catalog.",
  secret: true
})
export const LAKE_OAUTH2_SERVER_URI = define({
  env: `${PREFIX}OAUTH2_SERVER_URI`,
  type: optional(httpUrl),
  default: null,
  defaultText: "`CATALOG_URI/v1/oauth/tokens`",
  doc: "OAuth2 token endpoint of a `rest` catalog."
})
export const LAKE_OAUTH2_SCOPE = define({
  env: `${PREFIX}OAUTH2_SCOPE`,
  type: string("a scope"),
  default: "catalog",
  doc: "OAuth2 scope of a `rest` catalog's tokens."
})
export const LAKE_SIGNING_NAME = define({
  env: `${PREFIX}SIGNING_NAME`,
  type: string("an AWS service name, such as `glue` or `s3tables`"),
  default: "execute-api",
  doc: "AWS service name used to sign requests to a `rest` catalog."
})
export const LAKE_FLUSH_INTERVAL_SECONDS = define({
  env: `${PREFIX}FLUSH_INTERVAL_SECONDS`,
  type: integer({ min: 1, max: 3_600, unit: "seconds" }),
  default: 30,
  doc: "Maximum time between two commits while events arrive: how fresh the lake is."
})
export const LAKE_FLUSH_BATCH_SIZE = define({
  env: `${PREFIX}FLUSH_BATCH_SIZE`,
  type: integer({ min: 1, max: 10_000_000 }),
  default: 1_000,
  doc: "Events per site since the last commit that trigger the next one early, at least five seconds apart. More commits make smaller files."
})
export const LAKE_FLUSH_BYTES = define({
  env: `${PREFIX}FLUSH_BYTES`,
  type: integer({ min: 1 << 20, max: 17_179_869_184, unit: "bytes" }),
  default: 67_108_864,
  doc: "Bytes in a collector's spool that trigger the next commit early."
})
export const SPOOL_DIR = define({
  env: "SPOOL_DIR",
  type: optional(string("a folder on a local disk")),
  default: null,
  defaultText: "`DATA_DIR/spool`",
  doc: "Folder for events that are accepted but not in the lake yet. It must outlive the process: in a container, a volume.",
  environmentOnly: true
})
export const SPOOL_MAX_BYTES = define({
  env: "SPOOL_MAX_BYTES",
  type: integer({ min: 256 << 20, max: 17_592_186_044_416, unit: "bytes" }),
  default: 4_294_967_296,
  doc: "Maximum size of a collector's spool. Beyond it, clients get 503 with `Retry-After` until the lake has caught up."
})
export const LAKE_SNAPSHOT_MAX_AGE_SECONDS = define({
  env: `${PREFIX}SNAPSHOT_MAX_AGE_SECONDS`,
  type: integer({ min: 60, max: 31_536_000, unit: "seconds" }),
  default: 1_800,
  doc: "How long a replaced snapshot is kept: how long a query may run, and how far back time travel goes."
})
export const LAKE_SNAPSHOTS_MIN = define({
  env: `${PREFIX}SNAPSHOTS_MIN`,
  type: integer({ min: 1, max: 10_000 }),
  default: 10,
  doc: "Snapshots kept regardless of age."
})
export const LAKE_ORPHAN_AGE_SECONDS = define({
  env: `${PREFIX}ORPHAN_AGE_SECONDS`,
  type: integer({ min: 86_400, max: 31_536_000, unit: "seconds" }),
  default: 259_200,
  doc: "Minimum age before an orphaned file is deleted; younger files may belong to a commit in progress."
})
export const LAKE_COMPACTION_FILE_BYTES = define({
  env: `${PREFIX}COMPACTION_FILE_BYTES`,
  type: integer({ min: 16 << 20, max: 1 << 30, unit: "bytes" }),
  default: 201_326_592,
  doc: "Target size when the files of past days are compacted."
})
export const LAKE_MAINTENANCE_INTERVAL_SECONDS = define({
  env: `${PREFIX}MAINTENANCE_INTERVAL_SECONDS`,
  type: integer({ min: 10, max: 86_400, unit: "seconds" }),
  default: 300,
  doc: "How often `bun run full` maintains the lake: expires snapshots, merges manifests, compacts files, deletes orphans."
})
