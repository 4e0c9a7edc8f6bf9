import { Redacted, Schema } from "effect"
import type { AwsKeys } from "../../io/AwsCredentials.ts"
import { canonicalLocation } from "../../io/location.ts"

/** Assumed lifetime, in ms, of vended credentials that state none: shorter than that of any known service. */
const ASSUMED_LIFETIME_MS = 10 * 60_000
/** Vended credentials are renewed this long before they expire, in ms, or in the last quarter of a short lifetime. */
const RENEW_BEFORE_MS = 5 * 60_000
const LAST_PART = 0.25

const Config = Schema.Record(Schema.String, Schema.String)

/** The part of a catalog's response to a load or create that concerns access to files. */
export const AccessConfig = Schema.Struct({
  config: Schema.optional(Schema.NullOr(Config)),
  "storage-credentials": Schema.optional(
    Schema.NullOr(Schema.Array(Schema.Struct({ prefix: Schema.String, config: Config })))
  )
})
export type AccessConfig = typeof AccessConfig.Type

/** How to access a table's files. */
export interface TableAccess {
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  readonly pathStyle?: boolean | undefined
  /** Vended by the catalog; null if it vends none. */
  readonly keys: AwsKeys | null
  /** When to request new keys, in ms since the epoch. */
  readonly renewAt: number
}

const keysOf = (config: Readonly<Record<string, string>>): AwsKeys | null => {
  const id = config["s3.access-key-id"]
  const secret = config["s3.secret-access-key"]
  const token = config["s3.session-token"]
  if (id === undefined || secret === undefined) return null
  return {
    accessKeyId: id,
    secretAccessKey: Redacted.make(secret),
    ...(token === undefined ? {} : { sessionToken: Redacted.make(token) })
  }
}

/**
 * The credentials for the longest prefix of the table's location take precedence over the table's configuration (OpenAPI,
 * `LoadTableResult`). `now` is in ms since the epoch.
 */
export const accessOf = (response: AccessConfig, location: string, now: number): TableAccess => {
  const canonical = canonicalLocation(location)
  const [best] = (response["storage-credentials"] ?? [])
    .filter(({ prefix }) => canonical.startsWith(canonicalLocation(prefix)))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)
  const config = { ...response.config, ...best?.config }
  const statedEnd = Number(config["s3.session-token-expires-at-ms"])
  const isTemporary = config["s3.session-token"] !== undefined
  const end = statedEnd > 0 ? statedEnd : isTemporary ? now + ASSUMED_LIFETIME_MS : Number.POSITIVE_INFINITY
  const pathStyle = config["s3.path-style-access"]
  return {
    endpoint: config["s3.endpoint"],
    region: config["client.region"] ?? config["s3.region"],
    pathStyle: pathStyle === undefined ? undefined : pathStyle === "true",
    keys: keysOf(config),
    renewAt: end - Math.min(RENEW_BEFORE_MS, Math.max(0, end - now) * LAST_PART)
  }
}
