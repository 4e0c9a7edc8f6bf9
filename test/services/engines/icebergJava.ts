import { CREDENTIALS } from "../../../scripts/services/credentials.ts"
import { icebergJava as command } from "../../../scripts/services/engines.ts"
import { type EngineCatalog, jdbcUrl, s3Access } from "./EngineCatalog.ts"
import { type Change, ChangeResult, type LibraryCheck, LibraryCheckResult } from "./engineResults.ts"
import { runEngine } from "./runEngine.ts"

const S3_FILES = "org.apache.iceberg.aws.s3.S3FileIO"

type Values = Readonly<Record<string, string>>

interface JavaCatalog {
  readonly name: string
  readonly properties: Values
  readonly hadoop?: Values
  /** JVM properties with the credentials for the AWS SDK. */
  readonly system?: Values
}

const javaCatalog = (catalog: EngineCatalog): JavaCatalog => {
  const s3 = s3Access()
  const files: Values = {
    "io-impl": S3_FILES,
    "s3.endpoint": s3.endpoint,
    "s3.path-style-access": "true",
    "s3.access-key-id": s3.accessKeyId,
    "s3.secret-access-key": s3.secretAccessKey,
    "client.region": s3.region
  }
  switch (catalog.type) {
    case "jdbc":
      return {
        name: catalog.name,
        properties: {
          type: "jdbc",
          uri: jdbcUrl(catalog.database),
          "jdbc.user": CREDENTIALS.postgres.user,
          "jdbc.password": CREDENTIALS.postgres.password,
          "jdbc.schema-version": "V1",
          warehouse: catalog.warehouse,
          ...files
        }
      }
    case "rest":
      return {
        name: "rest",
        properties: {
          type: "rest",
          uri: catalog.uri,
          warehouse: catalog.warehouse,
          credential: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
          "oauth2-server-uri": catalog.tokens,
          ...files
        }
      }
    case "glue":
      return {
        name: "glue",
        properties: { type: "glue", warehouse: catalog.warehouse, "glue.endpoint": catalog.endpoint, ...files },
        system: {
          "aws.accessKeyId": CREDENTIALS.moto.accessKeyId,
          "aws.secretAccessKey": CREDENTIALS.moto.secretAccessKey
        }
      }
    case "hadoop":
      return {
        name: "hadoop",
        properties: { type: "hadoop", warehouse: catalog.warehouse },
        hadoop: {
          // Locations begin with `s3:`, which Hadoop does not support by default.
          "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
          "fs.s3a.endpoint": s3.endpoint,
          "fs.s3a.endpoint.region": s3.region,
          "fs.s3a.path.style.access": "true",
          "fs.s3a.access.key": s3.accessKeyId,
          "fs.s3a.secret.key": s3.secretAccessKey,
          "fs.s3a.connection.ssl.enabled": "false",
          "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
        }
      }
  }
}

interface Call {
  readonly catalog: EngineCatalog
  /** `namespace.name` */
  readonly table: string
  readonly deadlineMs?: number
}

const request = async (name: string, { catalog, table, deadlineMs }: Call, more: object = {}) => ({
  command: await command(),
  input: { command: name, catalog: javaCatalog(catalog), table, ...more },
  deadlineMs
})

/** A check, with the columns that partial scans filter by. */
export interface JavaCheck extends Call {
  readonly id: string
  readonly site?: string
  readonly time?: string
  /** An expression in Iceberg's JSON form, as in `{"type":"eq","term":"site_id","value":"x"}`. */
  readonly filter?: unknown
}

/** Iceberg's Java library, 1.12. */
export const icebergJava = {
  /**
   * Compares the metadata with the files: each data file's existence, length, row count, value and null counts, bounds and
   * partition (the first 50 files row by row), each manifest's counts and ranges, and the summary's totals. Checks that required
   * columns have no nulls, and that scans by site, and before and after the mean time, add up to all rows.
   */
  check: async ({
    filter = null,
    id,
    site = null,
    time = null,
    ...call
  }: Omit<JavaCheck, "site" | "time"> & {
    readonly site?: string | null
    readonly time?: string | null
  }): Promise<LibraryCheck> =>
    runEngine(LibraryCheckResult, {
      ...(await request("check", call, { id, site, time, filter })),
      exitCodes: [0, 1]
    }),
  /** Appends generated rows for the columns of the table. */
  append: async (call: Call & { readonly rows: number; readonly start?: number }): Promise<Change> =>
    runEngine(ChangeResult, await request("append", call, { rows: call.rows, start: call.start ?? 0 })),
  /** Expires all snapshots except the current one, and removes the files that only those need. */
  expire: async (call: Call): Promise<Change> => runEngine(ChangeResult, await request("expire", call)),
  /** Creates a table like ours, with eight columns. */
  create: async (call: Call): Promise<Change> => runEngine(ChangeResult, await request("create", call))
}
