import { Effect } from "effect"
import { StartError } from "../../src/domain/StartError.ts"
import type { Settings } from "../../src/ports/Settings.ts"
import {
  LAKE_AWS_ACCESS_KEY,
  LAKE_AWS_REGION,
  LAKE_AWS_SECRET_KEY,
  LAKE_CATALOG_CREDENTIALS,
  LAKE_CATALOG_NAME,
  LAKE_CATALOG_TYPE,
  LAKE_CATALOG_URI,
  LAKE_NAMESPACE,
  LAKE_OAUTH2_SCOPE,
  LAKE_OAUTH2_SERVER_URI,
  LAKE_S3_BUCKET,
  LAKE_S3_ENDPOINT,
  LAKE_S3_PREFIX,
  LAKE_SIGNING_NAME,
  LAKE_WAREHOUSE,
  type Setting
} from "../../src/settings/settings.ts"

/** Location of a lake and how to access it. Plain data, so that it can be passed to a thread. Holds secrets; never logged. */
export interface LakeConfig {
  readonly catalogType: typeof LAKE_CATALOG_TYPE.default
  readonly catalogName: string
  /** Outermost level first. */
  readonly namespace: ReadonlyArray<string>
  /** A location; for a REST catalog the warehouse's name in it, or null. */
  readonly warehouse: string | null
  readonly catalogUri: string | null
  readonly catalogCredentials: string | null
  readonly oauth2ServerUri: string | null
  readonly oauth2Scope: string
  readonly signingName: string
  readonly s3Endpoint: string | null
  readonly region: string | null
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string } | null
  /** Of the app database. */
  readonly databaseUrl: string
}

const invalid = (setting: Setting<never> | Setting<string | null>, message: string) =>
  Effect.fail(new StartError({ message: `${setting.env} ${message}` }))

/** A bucket, or a folder: `file:///folder` or Java's `file:/folder`, without a host. */
const LOCATION = /^(?:s3a?:\/\/[^/]+|file:\/(?:\/\/|[^/]))/

/** Reads the lake's settings. The error names the setting that is missing or invalid. */
export const lakeConfig = Effect.fnUntraced(function* (
  { get }: Settings["Service"],
  databaseUrl: string
): Effect.fn.Return<LakeConfig, StartError> {
  const catalogType = get(LAKE_CATALOG_TYPE)
  const bucket = get(LAKE_S3_BUCKET)
  const configured = get(LAKE_WAREHOUSE)
  const warehouse = configured ?? (bucket === null ? null : `s3://${bucket}/${get(LAKE_S3_PREFIX)}`.replace(/\/+$/, ""))
  if (catalogType !== "rest") {
    if (warehouse === null) {
      return yield* invalid(
        LAKE_S3_BUCKET,
        `is missing. The lake needs a bucket, or a folder: ${LAKE_WAREHOUSE.env}=file:///var/lib/footfall/lake.`
      )
    }
    if (!LOCATION.test(warehouse)) {
      return yield* invalid(LAKE_WAREHOUSE, `is "${warehouse}"; it accepts s3://bucket/prefix or file:///folder.`)
    }
  }
  const accessKeyId = get(LAKE_AWS_ACCESS_KEY)
  const secretAccessKey = get(LAKE_AWS_SECRET_KEY)
  if (accessKeyId !== null && secretAccessKey === null) {
    return yield* invalid(LAKE_AWS_SECRET_KEY, `is missing but ${LAKE_AWS_ACCESS_KEY.env} is set.`)
  }
  if (accessKeyId === null && secretAccessKey !== null) {
    return yield* invalid(LAKE_AWS_ACCESS_KEY, `is missing but ${LAKE_AWS_SECRET_KEY.env} is set.`)
  }
  const catalogUri = get(LAKE_CATALOG_URI)
  if (catalogType === "rest" && (catalogUri === null || !/^https?:\/\//.test(catalogUri))) {
    return yield* invalid(LAKE_CATALOG_URI, "is missing. A REST catalog needs its http(s) URL.")
  }
  if (catalogType === "jdbc" && catalogUri !== null && !/^postgres(ql)?:\/\//.test(catalogUri)) {
    return yield* invalid(
      LAKE_CATALOG_URI,
      "is not a postgres:// URL. Omit it to keep the catalog in the app database."
    )
  }
  return {
    catalogType,
    catalogName: get(LAKE_CATALOG_NAME),
    namespace: get(LAKE_NAMESPACE).split("."),
    warehouse,
    catalogUri,
    catalogCredentials: get(LAKE_CATALOG_CREDENTIALS),
    oauth2ServerUri: get(LAKE_OAUTH2_SERVER_URI),
    oauth2Scope: get(LAKE_OAUTH2_SCOPE),
    signingName: get(LAKE_SIGNING_NAME),
    s3Endpoint: get(LAKE_S3_ENDPOINT),
    region: get(LAKE_AWS_REGION) ?? process.env.AWS_REGION ?? null,
    keys: accessKeyId === null || secretAccessKey === null ? null : { accessKeyId, secretAccessKey },
    databaseUrl
  }
})
