import { Effect, type Redacted, type Scope } from "effect"
import { IcebergError } from "../IcebergError.ts"
import type { AwsCredentials } from "../io/AwsCredentials.ts"
import { schemeOf } from "../io/location.ts"
import { makeObjectStore } from "../io/makeObjectStore.ts"
import type { S3Options } from "../io/S3ObjectStore.ts"
import { loadModule } from "../loadModule.ts"
import type { Catalog } from "./Catalog.ts"
import type { JdbcClient } from "./jdbc/JdbcClient.ts"
import type { RestAuth } from "./rest/RestAuth.ts"

export interface SigV4Config {
  /** `execute-api` by default, as in Iceberg; `glue` and `s3tables` for AWS's own servers. */
  readonly signingName?: string | undefined
  readonly signingRegion: string
  /** By default those of `s3`, otherwise those that the AWS SDK finds. */
  readonly credentials?: AwsCredentials | undefined
}

/** A warehouse is a location: `s3://bucket/path` or `file:///path`. */
export interface JdbcCatalogConfig {
  readonly type: "jdbc"
  /** The catalog's name in all engines that share its tables. */
  readonly name: string
  readonly warehouse: string
  readonly s3?: S3Options | undefined
  /** The database that contains the catalog's tables. */
  readonly client: JdbcClient
}

export interface HadoopCatalogConfig {
  readonly type: "hadoop"
  readonly warehouse: string
  readonly s3?: S3Options | undefined
}

export interface RestCatalogConfig {
  readonly type: "rest"
  readonly uri: string
  /** The catalog's own name for it: a name, a location, an ARN. */
  readonly warehouse?: string | undefined
  readonly prefix?: string | undefined
  readonly token?: Redacted.Redacted<string> | undefined
  /** `id:secret` of an OAuth2 client; takes precedence over `token`. */
  readonly credential?: Redacted.Redacted<string> | undefined
  readonly oauth2ServerUri?: string | undefined
  readonly scope?: string | undefined
  readonly basic?: { readonly user: string; readonly password: Redacted.Redacted<string> } | undefined
  readonly sigV4?: SigV4Config | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Takes precedence over the catalog's configuration. If it contains credentials, none are requested from the catalog. */
  readonly s3?: S3Options | undefined
  /** For tables in local files: the location of the folder that may contain them. */
  readonly localRoot?: string | undefined
}

export interface GlueCatalogConfig {
  readonly type: "glue"
  /** The parent folder of databases without a location of their own. */
  readonly warehouse?: string | undefined
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  /** By default those of `s3`, otherwise those that the AWS SDK finds. */
  readonly credentials?: AwsCredentials | undefined
  readonly catalogId?: string | undefined
  readonly s3?: S3Options | undefined
}

export type CatalogConfig = JdbcCatalogConfig | HadoopCatalogConfig | RestCatalogConfig | GlueCatalogConfig

const storeFor = (warehouse: string | undefined, s3: S3Options | undefined) => {
  if (warehouse !== undefined && schemeOf(warehouse) === "other") {
    return Effect.fail(
      IcebergError.invalid(`Unsupported warehouse location ${warehouse}: use s3://bucket/path or file:///path.`)
    )
  }
  const root = warehouse !== undefined && schemeOf(warehouse) === "file" ? warehouse : undefined
  return makeObjectStore({ root, s3 })
}

const restAuth = ({ basic, credential, oauth2ServerUri, scope, token }: RestCatalogConfig): RestAuth => {
  if (credential !== undefined) return { _tag: "OAuth2", credential, serverUri: oauth2ServerUri, scope }
  if (token !== undefined) return { _tag: "Token", token }
  return basic === undefined ? { _tag: "None" } : { _tag: "Basic", ...basic }
}

type Open<Config> = (config: Config) => Effect.Effect<Catalog, IcebergError, Scope.Scope>

/** How each type of catalog is opened. Its code is loaded on first use. */
const catalogs: { readonly [Type in CatalogConfig["type"]]: Open<Extract<CatalogConfig, { readonly type: Type }>> } = {
  jdbc: Effect.fnUntraced(function* ({ client, name, s3, warehouse }) {
    const { makeJdbcCatalog } = yield* loadModule("the JDBC catalog", () => import("./jdbc/JdbcCatalog.ts"))
    return yield* makeJdbcCatalog({ client, name, warehouse, store: yield* storeFor(warehouse, s3) })
  }),
  hadoop: Effect.fnUntraced(function* ({ s3, warehouse }) {
    const { makeHadoopCatalog } = yield* loadModule("the Hadoop catalog", () => import("./hadoop/HadoopCatalog.ts"))
    return yield* makeHadoopCatalog({ warehouse, store: yield* storeFor(warehouse, s3) })
  }),
  rest: Effect.fnUntraced(function* (config) {
    const { makeRestCatalog } = yield* loadModule("the REST catalog", () => import("./rest/RestCatalog.ts"))
    const { headers, localRoot, prefix, s3, sigV4, uri, warehouse } = config
    return yield* makeRestCatalog({
      uri,
      warehouse,
      prefix,
      headers,
      s3,
      root: localRoot,
      auth: restAuth(config),
      sigV4:
        sigV4 === undefined
          ? undefined
          : {
              service: sigV4.signingName ?? "execute-api",
              region: sigV4.signingRegion,
              credentials: sigV4.credentials ?? s3?.credentials ?? { _tag: "Chain" }
            }
    })
  }),
  glue: Effect.fnUntraced(function* ({ catalogId, credentials, endpoint, region, s3, warehouse }) {
    const { makeGlueCatalog } = yield* loadModule("the Glue catalog", () => import("./glue/GlueCatalog.ts"))
    return yield* makeGlueCatalog({
      store: yield* storeFor(warehouse, { region, ...s3 }),
      warehouse,
      region,
      endpoint,
      catalogId,
      credentials: credentials ?? s3?.credentials
    })
  })
}

/** Opens the catalog that a configuration describes. Connects to nothing before the catalog is used. */
export const makeCatalog = (config: CatalogConfig): Effect.Effect<Catalog, IcebergError, Scope.Scope> =>
  (catalogs[config.type] as Open<CatalogConfig>)(config)
