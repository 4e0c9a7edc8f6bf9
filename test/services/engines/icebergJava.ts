import { CREDENTIALS } from "../../../scripts/services/credentials.ts"
import { icebergJava as command } from "../../../scripts/services/engines.ts"
import { type Change, ChangeAnswer, type LibraryCheck, LibraryCheckAnswer } from "./answers.ts"
import { type CatalogPlace, jdbcUrl, s3Place } from "./CatalogPlace.ts"
import { runEngine } from "./runEngine.ts"

const S3_FILES = "org.apache.iceberg.aws.s3.S3FileIO"

type Values = Readonly<Record<string, string>>

interface JavaCatalog {
  readonly name: string
  readonly properties: Values
  readonly hadoop?: Values
  /** JVM properties: what the AWS SDK finds its credentials in. */
  readonly system?: Values
}

const javaCatalog = (place: CatalogPlace): JavaCatalog => {
  const s3 = s3Place()
  const files: Values = {
    "io-impl": S3_FILES,
    "s3.endpoint": s3.endpoint,
    "s3.path-style-access": "true",
    "s3.access-key-id": s3.accessKeyId,
    "s3.secret-access-key": s3.secretAccessKey,
    "client.region": s3.region
  }
  switch (place.type) {
    case "jdbc":
      return {
        name: place.name,
        properties: {
          type: "jdbc",
          uri: jdbcUrl(place.database),
          "jdbc.user": CREDENTIALS.postgres.user,
          "jdbc.password": CREDENTIALS.postgres.password,
          "jdbc.schema-version": "V1",
          warehouse: place.warehouse,
          ...files
        }
      }
    case "rest":
      return {
        name: "rest",
        properties: {
          type: "rest",
          uri: place.uri,
          warehouse: place.warehouse,
          credential: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
          "oauth2-server-uri": place.tokens,
          ...files
        }
      }
    case "glue":
      return {
        name: "glue",
        properties: { type: "glue", warehouse: place.warehouse, "glue.endpoint": place.endpoint, ...files },
        system: {
          "aws.accessKeyId": CREDENTIALS.moto.accessKeyId,
          "aws.secretAccessKey": CREDENTIALS.moto.secretAccessKey
        }
      }
    case "hadoop":
      return {
        name: "hadoop",
        properties: { type: "hadoop", warehouse: place.warehouse },
        hadoop: {
          // Our locations begin with `s3:`, as every engine's but Hadoop's.
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
  readonly place: CatalogPlace
  /** `namespace.name` */
  readonly table: string
  readonly deadlineMs?: number
}

const request = async (name: string, { place, table, deadlineMs }: Call, more: object = {}) => ({
  command: await command(),
  input: { command: name, catalog: javaCatalog(place), table, ...more },
  deadlineMs
})

/** The columns that scans by parts are tried on. */
export interface JavaCheck extends Call {
  readonly id: string
  readonly site?: string
  readonly time?: string
  /** An expression in Iceberg's JSON form, as in `{"type":"eq","term":"site_id","value":"x"}`. */
  readonly filter?: unknown
}

/** Iceberg's own library, 1.12. */
export const icebergJava = {
  /**
   * Compares what the metadata says with what is there: each data file's existence, length, row count, value and null counts,
   * bounds and partition (the first 50 files row by row), each manifest's counts and ranges, the summary's totals; required
   * columns have no nulls; scans by site, and before and after the mean time, add up to the whole.
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
    runEngine(LibraryCheckAnswer, {
      ...(await request("check", call, { id, site, time, filter })),
      answersWith: [0, 1]
    }),
  /** Rows made up for whatever columns the table has. */
  append: async (call: Call & { readonly rows: number; readonly start?: number }): Promise<Change> =>
    runEngine(ChangeAnswer, await request("append", call, { rows: call.rows, start: call.start ?? 0 })),
  /** Expires every snapshot but the current one, and removes the files that only those had. */
  expire: async (call: Call): Promise<Change> => runEngine(ChangeAnswer, await request("expire", call)),
  /** A table of our shape with eight columns. */
  create: async (call: Call): Promise<Change> => runEngine(ChangeAnswer, await request("create", call))
}
