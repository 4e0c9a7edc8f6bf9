import { Redacted, Schema } from "effect"
import type { AwsKeys } from "../../io/AwsCredentials.ts"
import { canonicalLocation } from "../../io/location.ts"

/** Of credentials with a session token and without a stated end, in ms: less than any service lends them for. */
const ASSUMED_LIFETIME_MS = 10 * 60_000
/** New ones are asked for this long before the end, in ms, or in the last quarter of a short life. */
const RENEW_BEFORE_MS = 5 * 60_000
const LAST_PART = 0.25

const Config = Schema.Record(Schema.String, Schema.String)

/** What a catalog answers to a load or a create, as far as files are concerned. */
export const AccessAnswer = Schema.Struct({
  config: Schema.optional(Schema.NullOr(Config)),
  "storage-credentials": Schema.optional(
    Schema.NullOr(Schema.Array(Schema.Struct({ prefix: Schema.String, config: Config })))
  )
})
export type AccessAnswer = typeof AccessAnswer.Type

/** How a table's files are reached. */
export interface TableAccess {
  readonly endpoint: string | undefined
  readonly region: string | undefined
  readonly pathStyle: boolean | undefined
  /** Lent by the catalog. */
  readonly keys: AwsKeys | undefined
  /** When to ask for new keys, in ms since the epoch. */
  readonly renewAt: number
}

const keysOf = (config: Readonly<Record<string, string>>): AwsKeys | undefined => {
  const id = config["s3.access-key-id"]
  const secret = config["s3.secret-access-key"]
  const token = config["s3.session-token"]
  if (id === undefined || secret === undefined) return undefined
  return {
    accessKeyId: id,
    secretAccessKey: Redacted.make(secret),
    ...(token === undefined ? {} : { sessionToken: Redacted.make(token) })
  }
}

/** The credentials of the longest prefix of the table's location go before the table's configuration (OpenAPI, `LoadTableResult`). */
export const accessOf = (answer: AccessAnswer, location: string, now: number): TableAccess => {
  const place = canonicalLocation(location)
  const [best] = (answer["storage-credentials"] ?? [])
    .filter(({ prefix }) => place.startsWith(canonicalLocation(prefix)))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)
  const config = { ...answer.config, ...best?.config }
  const stated = Number(config["s3.session-token-expires-at-ms"])
  const lent = config["s3.session-token"] !== undefined
  const end = stated > 0 ? stated : lent ? now + ASSUMED_LIFETIME_MS : Number.POSITIVE_INFINITY
  const pathStyle = config["s3.path-style-access"]
  return {
    endpoint: config["s3.endpoint"],
    region: config["client.region"] ?? config["s3.region"],
    pathStyle: pathStyle === undefined ? undefined : pathStyle === "true",
    keys: keysOf(config),
    renewAt: end - Math.min(RENEW_BEFORE_MS, Math.max(0, end - now) * LAST_PART)
  }
}
