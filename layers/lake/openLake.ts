import { Effect, Redacted, type Scope } from "effect"
import { LAKE_CATALOG_URI } from "../../src/settings/settings.ts"
import type { Catalog } from "../iceberg/catalog/Catalog.ts"
import { type CatalogConfig, makeCatalog } from "../iceberg/catalog/makeCatalog.ts"
import { IcebergError } from "../iceberg/IcebergError.ts"
import { ANY_REGION } from "../iceberg/io/AwsCredentials.ts"
import { schemeOf } from "../iceberg/io/location.ts"
import { makeObjectStore } from "../iceberg/io/makeObjectStore.ts"
import type { ObjectStore } from "../iceberg/io/ObjectStore.ts"
import type { S3Options } from "../iceberg/io/S3ObjectStore.ts"
import { openPool } from "../postgres/client/openPool.ts"
import type { LakeConfig } from "./config.ts"
import { jdbcClient } from "./jdbcClient.ts"

/** One per table, which are committed concurrently, and one spare. */
const CATALOG_CONNECTIONS = 4
const TOKEN = "token:"

export interface Lake {
  readonly catalog: Catalog
  /** The namespace of the lake's tables, outermost level first. */
  readonly namespace: ReadonlyArray<string>
}

const s3Options = ({ keys, region, s3Endpoint }: LakeConfig): S3Options => ({
  endpoint: s3Endpoint ?? undefined,
  region: region ?? undefined,
  credentials:
    keys === null
      ? undefined
      : { _tag: "Keys", accessKeyId: keys.accessKeyId, secretAccessKey: Redacted.make(keys.secretAccessKey) }
})

const restCatalogConfig = (config: LakeConfig): CatalogConfig => {
  const { catalogCredentials: credentials, keys, oauth2Scope, oauth2ServerUri, region, signingName } = config
  const auth =
    credentials === null
      ? {}
      : credentials === "sigv4"
        ? { sigV4: { signingName, signingRegion: region ?? ANY_REGION } }
        : credentials.startsWith(TOKEN)
          ? { token: Redacted.make(credentials.slice(TOKEN.length)) }
          : {
              credential: Redacted.make(credentials),
              oauth2ServerUri: oauth2ServerUri ?? undefined,
              scope: oauth2Scope
            }
  return {
    type: "rest",
    uri: config.catalogUri ?? "",
    warehouse: config.warehouse ?? undefined,
    // Without configured keys, the catalog is asked for vended credentials.
    s3: keys === null && config.s3Endpoint === null && region === null ? undefined : s3Options(config),
    ...auth
  }
}

const catalogConfig = Effect.fnUntraced(function* (
  config: LakeConfig
): Effect.fn.Return<CatalogConfig, IcebergError, Scope.Scope> {
  const warehouse = config.warehouse ?? ""
  switch (config.catalogType) {
    case "jdbc": {
      const url = Redacted.make(config.catalogUri ?? config.databaseUrl)
      const sql = yield* openPool(
        { url, embedded: false, ...(config.catalogUri !== null && { setting: LAKE_CATALOG_URI.env }) },
        {},
        { maxConnections: CATALOG_CONNECTIONS }
      ).pipe(Effect.mapError(({ message }) => IcebergError.unavailable(message)))
      return { type: "jdbc", name: config.catalogName, warehouse, s3: s3Options(config), client: jdbcClient(sql) }
    }
    case "hadoop":
      return { type: "hadoop", warehouse, s3: s3Options(config) }
    case "glue":
      return {
        type: "glue",
        warehouse,
        region: config.catalogUri ?? config.region ?? undefined,
        s3: s3Options({ ...config, region: config.region ?? config.catalogUri })
      }
    case "rest":
      return restCatalogConfig(config)
  }
})

/** The files of the configured warehouse; null if a REST catalog decides where they are. */
export const openWarehouse = (config: LakeConfig): Effect.Effect<ObjectStore | null, IcebergError, Scope.Scope> => {
  const { warehouse } = config
  if (warehouse === null || schemeOf(warehouse) === "other") return Effect.succeed(null)
  const region = config.region ?? (config.catalogType === "glue" ? config.catalogUri : null)
  return makeObjectStore({
    root: schemeOf(warehouse) === "file" ? warehouse : undefined,
    s3: s3Options({ ...config, region })
  })
}

/** Opens the configured lake. */
export const openLake = Effect.fnUntraced(function* (
  config: LakeConfig
): Effect.fn.Return<Lake, IcebergError, Scope.Scope> {
  return { catalog: yield* makeCatalog(yield* catalogConfig(config)), namespace: config.namespace }
})
