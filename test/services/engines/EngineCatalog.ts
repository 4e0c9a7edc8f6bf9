import {
  CREDENTIALS,
  LAKE_CATALOG,
  LAKE_DATABASE,
  LAKE_WAREHOUSE,
  REGION,
  TABLE_BUCKET
} from "../../../scripts/services/credentials.ts"
import { endpoint, port } from "../../../scripts/services/place.ts"

/** A catalog of the local services that other engines read and write. A table is `namespace.name`. */
export type EngineCatalog =
  /** In the local Postgres; `name` is the value of `catalog_name`. */
  | { readonly type: "jdbc"; readonly name: string; readonly database: string; readonly warehouse: string }
  /** That of SeaweedFS, or another that accepts the same client credentials. */
  | { readonly type: "rest"; readonly uri: string; readonly tokens: string; readonly warehouse: string }
  /** In folders: `s3://lake/folder`, or a local path. */
  | { readonly type: "hadoop"; readonly warehouse: string }
  /** That of moto, or of a fault proxy in front of it. The data is in the local S3. */
  | { readonly type: "glue"; readonly endpoint: string; readonly warehouse: string }

export const lakeCatalog = (options: Partial<Omit<EngineCatalog & { type: "jdbc" }, "type">> = {}): EngineCatalog => ({
  type: "jdbc",
  name: LAKE_CATALOG,
  database: LAKE_DATABASE,
  warehouse: LAKE_WAREHOUSE,
  ...options
})

export const restCatalog = (uri = endpoint.icebergRest()): EngineCatalog => ({
  type: "rest",
  uri,
  tokens: endpoint.icebergRestTokens(),
  warehouse: `s3://${TABLE_BUCKET}`
})

export const glueCatalog = (warehouse = LAKE_WAREHOUSE, at = endpoint.moto()): EngineCatalog => ({
  type: "glue",
  endpoint: at,
  warehouse
})

/** How engines access the local S3. */
export const s3Access = () => ({ endpoint: endpoint.s3(), region: REGION, ...CREDENTIALS.s3 })

/** The jdbc URL of a database in the local Postgres, without its password. */
export const jdbcUrl = (database: string): string => `jdbc:postgresql://127.0.0.1:${port("postgres")}/${database}`
