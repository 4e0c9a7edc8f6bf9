import { join } from "node:path"
import { Schema } from "effect"
import { CREDENTIALS } from "../../../scripts/services/credentials.ts"
import { sparkJars, sparkPython } from "../../../scripts/services/engines.ts"
import { findJava } from "../../../scripts/services/java.ts"
import { VERSIONS } from "../../../scripts/services/versions.ts"
import { type EngineCatalog, jdbcUrl, s3Access } from "./EngineCatalog.ts"
import type { TableNumbers } from "./numbers.ts"
import { runEngine } from "./runEngine.ts"
import { type Row, sparkDialect, sqlNumbers } from "./sqlNumbers.ts"

const PROGRAM = join(import.meta.dir, "python", "spark_sql.py")
/** Spark takes ten seconds to start. */
const DEADLINE_MS = 300_000
const Results = Schema.Struct({ results: Schema.Array(Schema.Array(Schema.Array(Schema.NullOr(Schema.String)))) })

/** Spark's name for the catalog, which is also part of the key of a JDBC catalog's tables. */
const nameOf = (catalog: EngineCatalog): string => (catalog.type === "jdbc" ? catalog.name : "footfall")

const settings = (catalog: EngineCatalog): Readonly<Record<string, string>> => {
  const s3 = s3Access()
  const connection: Readonly<Record<string, string>> =
    catalog.type === "jdbc"
      ? {
          type: "jdbc",
          uri: jdbcUrl(catalog.database),
          "jdbc.user": CREDENTIALS.postgres.user,
          "jdbc.password": CREDENTIALS.postgres.password,
          "jdbc.schema-version": "V1"
        }
      : catalog.type === "rest"
        ? {
            type: "rest",
            uri: catalog.uri,
            credential: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
            "oauth2-server-uri": catalog.tokens
          }
        : { type: catalog.type }
  const prefix = `spark.sql.catalog.${nameOf(catalog)}`
  const all = {
    ...connection,
    warehouse: catalog.warehouse,
    "cache-enabled": "false",
    "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "s3.endpoint": s3.endpoint,
    "s3.path-style-access": "true",
    "s3.access-key-id": s3.accessKeyId,
    "s3.secret-access-key": s3.secretAccessKey,
    "client.region": s3.region
  }
  return {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.iceberg.vectorization.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "2",
    [prefix]: "org.apache.iceberg.spark.SparkCatalog",
    ...Object.fromEntries(Object.entries(all).map(([name, value]) => [`${prefix}.${name}`, value]))
  }
}

const runAll = async (catalog: EngineCatalog, statements: ReadonlyArray<string>) => {
  const { results } = await runEngine(Results, {
    command: [await sparkPython(), PROGRAM],
    input: { conf: settings(catalog), jars: await sparkJars(), statements },
    env: { JAVA_HOME: join(findJava("spark", VERSIONS.java), "..", "..") },
    deadlineMs: DEADLINE_MS
  })
  return results
}

/** PySpark 4.1 with Iceberg's vectorized reader. Slow and large, so it runs nightly only. */
export const spark = {
  check: async ({
    id,
    catalog,
    table
  }: {
    readonly catalog: EngineCatalog
    readonly table: string
    readonly id: string
  }): Promise<TableNumbers> => {
    const name = `\`${nameOf(catalog)}\`.${table}`
    const [described = []] = await runAll(catalog, [`DESCRIBE TABLE ${name}`])
    // The partitions follow after an empty line.
    const end = described.findIndex(([column]) => column === "" || column?.startsWith("#") === true)
    const columns = described
      .slice(0, end === -1 ? undefined : end)
      .map(([name, type]) => ({ name: name ?? "", type: type ?? "" }))
    return sqlNumbers(
      sparkDialect,
      name,
      id,
      columns,
      async (statement) => (await runAll(catalog, [statement]))[0] ?? []
    )
  },
  /** Runs statements in order; `{catalog}` in them stands for the catalog. */
  query: (catalog: EngineCatalog, statements: ReadonlyArray<string>): Promise<ReadonlyArray<ReadonlyArray<Row>>> =>
    runAll(
      catalog,
      statements.map((statement) => statement.replaceAll("{catalog}", nameOf(catalog)))
    )
}
