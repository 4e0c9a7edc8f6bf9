import { CREDENTIALS, LAKE_CATALOG, LAKE_DATABASE, LAKE_WAREHOUSE, REGION, TABLE_BUCKET } from "./credentials.ts"
import { endpoint, port } from "./place.ts"

const s3 = (): Readonly<Record<string, string>> => ({
  "fs.native-s3.enabled": "true",
  "s3.endpoint": endpoint.s3(),
  "s3.region": REGION,
  "s3.path-style-access": "true",
  "s3.aws-access-key": CREDENTIALS.s3.accessKeyId,
  "s3.aws-secret-key": CREDENTIALS.s3.secretAccessKey
})

/** The tables' `catalog_name`, their database, and the location of new tables. */
export interface JdbcCatalogPlace {
  readonly catalog: string
  readonly database: string
  readonly warehouse: string
}

/** Trino's properties for a jdbc catalog in the local Postgres. */
export const jdbcCatalog = (
  place: JdbcCatalogPlace = { catalog: LAKE_CATALOG, database: LAKE_DATABASE, warehouse: LAKE_WAREHOUSE }
): Readonly<Record<string, string>> => ({
  "iceberg.catalog.type": "jdbc",
  "iceberg.jdbc-catalog.catalog-name": place.catalog,
  "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
  "iceberg.jdbc-catalog.connection-url": `jdbc:postgresql://127.0.0.1:${port("postgres")}/${place.database}`,
  "iceberg.jdbc-catalog.connection-user": CREDENTIALS.postgres.user,
  "iceberg.jdbc-catalog.connection-password": CREDENTIALS.postgres.password,
  "iceberg.jdbc-catalog.default-warehouse-dir": place.warehouse,
  "iceberg.jdbc-catalog.schema-version": "V1",
  ...s3()
})

/** Trino's properties for SeaweedFS's REST catalog. */
export const restCatalog = (warehouse = `s3://${TABLE_BUCKET}`): Readonly<Record<string, string>> => ({
  "iceberg.catalog.type": "rest",
  "iceberg.rest-catalog.uri": endpoint.icebergRest(),
  "iceberg.rest-catalog.warehouse": warehouse,
  "iceberg.rest-catalog.security": "OAUTH2",
  "iceberg.rest-catalog.oauth2.credential": `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
  "iceberg.rest-catalog.oauth2.server-uri": endpoint.icebergRestTokens(),
  ...s3()
})
