/*
 * The statements of Iceberg's JdbcCatalog (its JdbcUtil) in Postgres syntax, so that Java, pyiceberg, Spark and Trino use the
 * same rows. V0 tables lack `iceberg_type`; in V1 tables it may be null, in rows that a V0 client wrote.
 */

/** Maximum length of `metadata_location`, in characters. */
export const MAX_LOCATION = 1_000

export const HAS_TABLES = `SELECT to_regclass('iceberg_tables') IS NOT NULL
  AND to_regclass('iceberg_namespace_properties') IS NOT NULL AS found`

export const CREATE_TABLES = [
  `CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(${MAX_LOCATION}),
    previous_metadata_location VARCHAR(${MAX_LOCATION}),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name))`,
  `CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255),
    property_value VARCHAR(1000),
    PRIMARY KEY (catalog_name, namespace, property_key))`
]

export const HAS_TYPE = `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('iceberg_tables')
  AND attname = 'iceberg_type' AND NOT attisdropped) AS found`

export const ADD_NAMESPACE = `INSERT INTO iceberg_namespace_properties
  (catalog_name, namespace, property_key, property_value) VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING`

const KEY = "catalog_name = $1 AND table_namespace = $2 AND table_name = $3"
const IS_TABLE = "(iceberg_type = 'TABLE' OR iceberg_type IS NULL)"

export interface Statements {
  /** $1 catalog, $2 namespace, $3 table. */
  readonly load: string
  /** $4 metadata location. */
  readonly create: string
  /** $4 new location, $5 the one it replaces; returns a row if it was replaced. */
  readonly commit: string
}

const statements = (isTable: string, column: string, value: string): Statements => ({
  load: `SELECT metadata_location FROM iceberg_tables WHERE ${KEY}${isTable}`,
  create: `INSERT INTO iceberg_tables
    (catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location${column})
    VALUES ($1, $2, $3, $4, NULL${value}) RETURNING metadata_location`,
  commit: `UPDATE iceberg_tables SET metadata_location = $4, previous_metadata_location = $5
    WHERE ${KEY} AND metadata_location = $5${isTable} RETURNING metadata_location`
})

export const V0 = statements("", "", "")
export const V1 = statements(` AND ${IS_TABLE}`, ", iceberg_type", ", 'TABLE'")
