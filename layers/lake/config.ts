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
  LAKE_S3_ENDPOINT,
  LAKE_SIGNING_NAME
} from "../../src/settings/settings.ts"
import { lakeLocation, lakeLocationProblem, lakePairProblem } from "../../src/settings/startProblems.ts"

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

/** Reads the lake's settings. The error names the setting that is missing or invalid. */
export const lakeConfig = Effect.fnUntraced(function* (
  { get }: Settings["Service"],
  databaseUrl: string
): Effect.fn.Return<LakeConfig, StartError> {
  const problem = lakeLocationProblem(get) ?? lakePairProblem(get)
  if (problem !== null) return yield* new StartError({ message: problem })
  const accessKeyId = get(LAKE_AWS_ACCESS_KEY)
  const secretAccessKey = get(LAKE_AWS_SECRET_KEY)
  return {
    catalogType: get(LAKE_CATALOG_TYPE),
    catalogName: get(LAKE_CATALOG_NAME),
    namespace: get(LAKE_NAMESPACE).split("."),
    warehouse: lakeLocation(get),
    catalogUri: get(LAKE_CATALOG_URI),
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
