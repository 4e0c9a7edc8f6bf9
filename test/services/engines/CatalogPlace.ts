import {
  CREDENTIALS,
  LAKE_CATALOG,
  LAKE_DATABASE,
  LAKE_WAREHOUSE,
  REGION,
  TABLE_BUCKET
} from "../../../scripts/services/credentials.ts"
import { endpoint, port } from "../../../scripts/services/place.ts"

/** A catalog of the local services that engines find tables in. A table is `namespace.name`. */
export type CatalogPlace =
  /** In the local Postgres; `name` is what `catalog_name` holds. */
  | { readonly type: "jdbc"; readonly name: string; readonly database: string; readonly warehouse: string }
  /** SeaweedFS's, or another that takes the same client credentials. */
  | { readonly type: "rest"; readonly uri: string; readonly tokens: string; readonly warehouse: string }
  /** Folders: `s3://lake/folder`, or a path of this machine. */
  | { readonly type: "hadoop"; readonly warehouse: string }
  /** moto's, or a fault proxy's before it; the data lies in the local S3. */
  | { readonly type: "glue"; readonly endpoint: string; readonly warehouse: string }

export const lakeCatalog = (place: Partial<Omit<CatalogPlace & { type: "jdbc" }, "type">> = {}): CatalogPlace => ({
  type: "jdbc",
  name: LAKE_CATALOG,
  database: LAKE_DATABASE,
  warehouse: LAKE_WAREHOUSE,
  ...place
})

export const restCatalog = (uri = endpoint.icebergRest()): CatalogPlace => ({
  type: "rest",
  uri,
  tokens: endpoint.icebergRestTokens(),
  warehouse: `s3://${TABLE_BUCKET}`
})

export const glueCatalog = (warehouse = LAKE_WAREHOUSE, at = endpoint.moto()): CatalogPlace => ({
  type: "glue",
  endpoint: at,
  warehouse
})

/** The S3 gateway as engines are told of it. */
export const s3Place = () => ({ endpoint: endpoint.s3(), region: REGION, ...CREDENTIALS.s3 })

/** The jdbc URL of a database in the local Postgres, without its password. */
export const jdbcUrl = (database: string): string => `jdbc:postgresql://127.0.0.1:${port("postgres")}/${database}`
