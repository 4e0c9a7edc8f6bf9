/**
 * Credentials of the local services. They listen only on the loopback interface and hold only test data, so these are not secrets. Use them
 * for no other server.
 */
export const CREDENTIALS = {
  postgres: { user: "footfall", password: "pw-footfall" },
  /** Full access to the S3 gateway and, as an OAuth2 client, to the REST catalog in the same process. */
  s3: { accessKeyId: "AKFOOTFALL", secretAccessKey: "sk-footfall-secret" },
  /** May read and list. */
  s3Reader: { accessKeyId: "AKREADER", secretAccessKey: "sk-reader-secret" },
  /** moto accepts any. */
  moto: { accessKeyId: "AKMOTO", secretAccessKey: "sk-moto" }
} as const

/** Region of the S3 gateway and of moto. */
export const REGION = "us-east-1"
/** The bucket for tables of jdbc, hadoop and glue catalogs, and the table bucket of the REST catalog. */
export const BUCKET = "lake"
export const TABLE_BUCKET = "warehouse"
/** The database that exists from the start, and the name of the jdbc catalog that Trino has from the start. */
export const LAKE_DATABASE = "lake"
export const LAKE_CATALOG = "lake"
export const LAKE_WAREHOUSE = `s3://${BUCKET}/wh`
