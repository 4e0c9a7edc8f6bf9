import { Effect, Redacted, Scope } from "effect"
import type { StartError } from "../../src/domain/StartError.ts"
import { LAKE_TABLE_NAMES } from "../../src/ports/LakeAdmin.ts"
import { QueryError } from "../../src/ports/QueryEngine.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { LAKE_AWS_ACCESS_KEY, LAKE_AWS_SECRET_KEY } from "../../src/settings/settings.ts"
import type { IcebergError } from "../iceberg/IcebergError.ts"
import { ANY_REGION } from "../iceberg/io/AwsCredentials.ts"
import { schemeOf } from "../iceberg/io/location.ts"
import { onceSuccessful } from "../iceberg/onceSuccessful.ts"
import { type LakeConfig, lakeConfig } from "../lake/config.ts"
import { openLake } from "../lake/openLake.ts"
import { DatabaseUrl } from "../postgres/client/Database.ts"
import type { DuckDbLake, S3Access } from "./DuckDbQueryEngine.ts"

const isoMillis = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z")

const unavailable = (message: string) => new QueryError({ reason: "Unavailable", message })

const notFound = (table: string) =>
  new QueryError({ reason: "Missing", message: `The lake has no table ${table} yet. The first flush creates it.` })

const failure = (table: string, { message, reason }: IcebergError): QueryError =>
  reason === "NotFound"
    ? notFound(table)
    : reason === "Invalid"
      ? new QueryError({ reason, message })
      : unavailable(message)

/** Null for a table that the first flush has yet to create. */
const ifPresent = <A>(load: Effect.Effect<A, QueryError>): Effect.Effect<A | null, QueryError> =>
  Effect.catchIf(
    load,
    ({ reason }) => reason === "Missing",
    () => Effect.succeed(null)
  )

/** Access with what the AWS SDK finds where settings are missing: keys in the environment, a profile or a role, and the profile's region. */
const s3AccessFromSdk = Effect.fnUntraced(function* ({ keys, region, s3Endpoint }: LakeConfig) {
  const sdk = yield* Effect.tryPromise({
    try: () => import("@aws-sdk/client-s3"),
    catch: (cause) => unavailable(`The package @aws-sdk/client-s3 can't be loaded: ${String(cause)}`)
  })
  const { config } = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new sdk.S3Client({ ...(region === null ? {} : { region }), ...(keys === null ? {} : { credentials: keys }) })
    ),
    (client) => Effect.sync(() => client.destroy())
  )
  return Effect.tryPromise({
    try: async (): Promise<S3Access> => {
      const found = await config.credentials()
      return {
        endpoint: s3Endpoint,
        region: await config.region().catch(() => ANY_REGION),
        accessKeyId: found.accessKeyId,
        secretAccessKey: Redacted.make(found.secretAccessKey),
        sessionToken: found.sessionToken === undefined ? undefined : Redacted.make(found.sessionToken)
      }
    },
    catch: () =>
      unavailable(
        `No keys for the lake's bucket found. Set ${LAKE_AWS_ACCESS_KEY.env} and ${LAKE_AWS_SECRET_KEY.env}, or give this process a role. Credentials that a REST catalog vends are not used.`
      )
  })
})

/** The lake that the settings name. Its catalog and the AWS SDK are opened at the first query. */
export const icebergLake: Effect.Effect<DuckDbLake, StartError, Settings | DatabaseUrl | Scope.Scope> = Effect.gen(
  function* () {
    const config = yield* lakeConfig(yield* Settings, Redacted.value((yield* DatabaseUrl).url))
    const scope = yield* Effect.scope
    const lake = yield* onceSuccessful(Scope.provide(openLake(config), scope))
    const { catalogType, keys, region, s3Endpoint, warehouse } = config
    const isLocal = catalogType !== "rest" && warehouse !== null && schemeOf(warehouse) === "file"
    const found = yield* onceSuccessful(Scope.provide(s3AccessFromSdk(config), scope))
    const s3 = isLocal
      ? Effect.succeed(null)
      : keys !== null && (region !== null || s3Endpoint !== null)
        ? Effect.succeed({
            endpoint: s3Endpoint,
            region: region ?? ANY_REGION,
            accessKeyId: keys.accessKeyId,
            secretAccessKey: Redacted.make(keys.secretAccessKey)
          })
        : Effect.flatten(found)
    const load = (table: string) =>
      lake.pipe(
        Effect.flatMap(({ catalog, namespace }) => catalog.load({ namespace, name: table })),
        Effect.mapError((error) => failure(table, error))
      )
    return {
      s3,
      locate: (table) => Effect.map(load(table), ({ metadataLocation }) => metadataLocation),
      asOf: Effect.map(
        Effect.forEach(LAKE_TABLE_NAMES, (table) => ifPresent(load(table))),
        (tables) => {
          const present = tables.filter((table) => table !== null)
          return {
            time: isoMillis(Math.max(0, ...present.map(({ metadata }) => metadata["last-updated-ms"]))),
            version: present.map(({ metadataLocation }) => metadataLocation).join(" ")
          }
        }
      )
    }
  }
)
