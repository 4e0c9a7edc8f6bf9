/**
 * What the local services ask for. They listen on the loopback interface alone and hold test data alone, so these are no
 * secrets; no other server may be given them.
 */
export const CREDENTIALS = {
  postgres: { user: "footfall", password: "pw-footfall" },
  /** May do everything in the S3 gateway and, as OAuth2 client, in the REST catalog beside it. */
  s3: { accessKeyId: "AKFOOTFALL", secretAccessKey: "sk-footfall-secret" },
  /** May read and list. */
  s3Reader: { accessKeyId: "AKREADER", secretAccessKey: "sk-reader-secret" },
  /** moto takes any. */
  moto: { accessKeyId: "AKMOTO", secretAccessKey: "sk-moto" }
} as const

/** Of the S3 gateway and of moto. */
export const REGION = "us-east-1"
/** The bucket for tables of jdbc, hadoop and glue catalogs, and the table bucket of the REST catalog. */
export const BUCKET = "lake"
export const TABLE_BUCKET = "warehouse"
/** The database that is there from the start, and the name of the jdbc catalog that Trino knows from the start. */
export const LAKE_DATABASE = "lake"
export const LAKE_CATALOG = "lake"
export const LAKE_WAREHOUSE = `s3://${BUCKET}/wh`
