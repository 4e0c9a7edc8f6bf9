import { Effect, type Redacted, type Scope } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { AwsCredentials } from "../io/AwsCredentials.ts"
import { schemeOf } from "../io/location.ts"
import { makeObjectStore } from "../io/makeObjectStore.ts"
import type { S3Options } from "../io/S3ObjectStore.ts"
import type { Catalog } from "./Catalog.ts"
import type { JdbcClient } from "./jdbc/JdbcClient.ts"

export interface SigV4Config {
  /** `execute-api` by default, Iceberg's own; `glue` and `s3tables` for AWS' servers. */
  readonly signingName?: string | undefined
  readonly signingRegion: string
  /** By default those of `s3`, else what the AWS SDK finds. */
  readonly credentials?: AwsCredentials | undefined
}

/** Which catalog, in plain values. A warehouse is a location: `s3://bucket/path` or `file:///path`. */
export type CatalogConfig =
  | {
      readonly type: "jdbc"
      /** The catalog's name in all engines that share its tables. */
      readonly name: string
      readonly warehouse: string
      readonly s3?: S3Options | undefined
      /** The database that holds the catalog's tables. */
      readonly client: JdbcClient
    }
  | { readonly type: "hadoop"; readonly warehouse: string; readonly s3?: S3Options | undefined }
  | {
      readonly type: "rest"
      readonly uri: string
      /** The catalog's own name for it: a name, a location, an ARN. */
      readonly warehouse?: string | undefined
      readonly prefix?: string | undefined
      readonly token?: Redacted.Redacted<string> | undefined
      /** `id:secret` of an OAuth2 client; goes before `token`. */
      readonly credential?: Redacted.Redacted<string> | undefined
      readonly oauth2ServerUri?: string | undefined
      readonly scope?: string | undefined
      readonly basic?: { readonly user: string; readonly password: Redacted.Redacted<string> } | undefined
      readonly sigV4?: SigV4Config | undefined
      readonly headers?: Readonly<Record<string, string>> | undefined
      /** With credentials in it, none are asked of the catalog; what is set here goes before what the catalog says. */
      readonly s3?: S3Options | undefined
      /** For catalogs whose tables are local files: the folder that they may be in, as a location. */
      readonly localRoot?: string | undefined
    }
  | {
      readonly type: "glue"
      /** Where databases without a location of their own have their tables. */
      readonly warehouse?: string | undefined
      readonly region?: string | undefined
      readonly endpoint?: string | undefined
      /** By default those of `s3`, else what the AWS SDK finds. */
      readonly credentials?: AwsCredentials | undefined
      readonly catalogId?: string | undefined
      readonly s3?: S3Options | undefined
    }

const loaded = <A>(load: () => Promise<A>): Effect.Effect<A, IcebergError> =>
  Effect.tryPromise({
    try: load,
    catch: (cause) => icebergError("Invalid", `The catalog's code can't be loaded: ${String(cause)}`)
  })

const storeFor = (warehouse: string | undefined, s3: S3Options | undefined) => {
  if (warehouse !== undefined && schemeOf(warehouse) === "other") {
    return Effect.fail(
      icebergError("Invalid", `The warehouse ${warehouse} can't be used: write s3://bucket/path or file:///path.`)
    )
  }
  const root = warehouse !== undefined && schemeOf(warehouse) === "file" ? warehouse : undefined
  return makeObjectStore({ root, s3 })
}

/** The catalog that a configuration describes. Nothing is connected to before it is used. */
export const makeCatalog = Effect.fnUntraced(function* (
  config: CatalogConfig
): Effect.fn.Return<Catalog, IcebergError, Scope.Scope> {
  switch (config.type) {
    case "jdbc": {
      const { makeJdbcCatalog } = yield* loaded(() => import("./jdbc/JdbcCatalog.ts"))
      const { client, name, s3, warehouse } = config
      return yield* makeJdbcCatalog({ client, name, warehouse, store: yield* storeFor(warehouse, s3) })
    }
    case "hadoop": {
      const { makeHadoopCatalog } = yield* loaded(() => import("./hadoop/HadoopCatalog.ts"))
      const { s3, warehouse } = config
      return yield* makeHadoopCatalog({ warehouse, store: yield* storeFor(warehouse, s3) })
    }
    case "rest": {
      const { makeRestCatalog } = yield* loaded(() => import("./rest/RestCatalog.ts"))
      const {
        basic,
        credential,
        headers,
        localRoot,
        oauth2ServerUri,
        prefix,
        s3,
        scope,
        sigV4,
        token,
        uri,
        warehouse
      } = config
      return yield* makeRestCatalog({
        uri,
        warehouse,
        prefix,
        headers,
        s3,
        root: localRoot,
        auth:
          credential !== undefined
            ? { _tag: "OAuth2", credential, serverUri: oauth2ServerUri, scope }
            : token !== undefined
              ? { _tag: "Token", token }
              : basic !== undefined
                ? { _tag: "Basic", ...basic }
                : { _tag: "None" },
        sigV4:
          sigV4 === undefined
            ? undefined
            : {
                service: sigV4.signingName ?? "execute-api",
                region: sigV4.signingRegion,
                credentials: sigV4.credentials ?? s3?.credentials ?? { _tag: "Chain" }
              }
      })
    }
    case "glue": {
      const { makeGlueCatalog } = yield* loaded(() => import("./glue/GlueCatalog.ts"))
      const { catalogId, credentials, endpoint, region, s3, warehouse } = config
      const store = yield* storeFor(warehouse, { region, ...s3 })
      return yield* makeGlueCatalog({
        store,
        warehouse,
        region,
        endpoint,
        catalogId,
        credentials: credentials ?? s3?.credentials
      })
    }
  }
})
