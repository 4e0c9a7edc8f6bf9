import { join } from "node:path"
import { Schema } from "effect"
import { CREDENTIALS } from "../../../scripts/services/credentials.ts"
import { sparkJars, sparkPython } from "../../../scripts/services/engines.ts"
import { findJava } from "../../../scripts/services/java.ts"
import { VERSIONS } from "../../../scripts/services/versions.ts"
import { type CatalogPlace, jdbcUrl, s3Place } from "./CatalogPlace.ts"
import type { TableNumbers } from "./numbers.ts"
import { runEngine } from "./runEngine.ts"
import { type Row, sparkDialect, sqlNumbers } from "./sqlNumbers.ts"

const PROGRAM = join(import.meta.dir, "python", "spark_sql.py")
/** Spark itself takes ten seconds to be there. */
const DEADLINE_MS = 300_000
const Answers = Schema.Struct({ answers: Schema.Array(Schema.Array(Schema.Array(Schema.NullOr(Schema.String)))) })

/** Spark's name of the catalog, which is the key of a jdbc catalog's tables, too. */
const nameOf = (place: CatalogPlace): string => (place.type === "jdbc" ? place.name : "footfall")

const settings = (place: CatalogPlace): Readonly<Record<string, string>> => {
  const s3 = s3Place()
  const catalog: Readonly<Record<string, string>> =
    place.type === "jdbc"
      ? {
          type: "jdbc",
          uri: jdbcUrl(place.database),
          "jdbc.user": CREDENTIALS.postgres.user,
          "jdbc.password": CREDENTIALS.postgres.password,
          "jdbc.schema-version": "V1"
        }
      : place.type === "rest"
        ? {
            type: "rest",
            uri: place.uri,
            credential: `${CREDENTIALS.s3.accessKeyId}:${CREDENTIALS.s3.secretAccessKey}`,
            "oauth2-server-uri": place.tokens
          }
        : { type: place.type }
  const of = `spark.sql.catalog.${nameOf(place)}`
  const all = {
    ...catalog,
    warehouse: place.warehouse,
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
    [of]: "org.apache.iceberg.spark.SparkCatalog",
    ...Object.fromEntries(Object.entries(all).map(([name, value]) => [`${of}.${name}`, value]))
  }
}

const runAll = async (place: CatalogPlace, statements: ReadonlyArray<string>) => {
  const answers = await runEngine(Answers, {
    command: [await sparkPython(), PROGRAM],
    input: { conf: settings(place), jars: await sparkJars(), statements },
    env: { JAVA_HOME: join(findJava("spark", VERSIONS.java), "..", "..") },
    deadlineMs: DEADLINE_MS
  })
  return answers.answers
}

/** PySpark 4.1 with Iceberg's vectorized reader. Slow and large: for a nightly run. */
export const spark = {
  check: async ({
    id,
    place,
    table
  }: {
    readonly place: CatalogPlace
    readonly table: string
    readonly id: string
  }): Promise<TableNumbers> => {
    const name = `\`${nameOf(place)}\`.${table}`
    const [described = []] = await runAll(place, [`DESCRIBE TABLE ${name}`])
    // Behind an empty line come partitions.
    const end = described.findIndex(([column]) => column === "" || column?.startsWith("#") === true)
    const columns = described
      .slice(0, end === -1 ? undefined : end)
      .map(([name, type]) => ({ name: name ?? "", type: type ?? "" }))
    return sqlNumbers(sparkDialect, name, id, columns, async (statement) => (await runAll(place, [statement]))[0] ?? [])
  },
  /** Runs statements one after the other; `{catalog}` in them is the catalog. */
  query: (place: CatalogPlace, statements: ReadonlyArray<string>): Promise<ReadonlyArray<ReadonlyArray<Row>>> =>
    runAll(
      place,
      statements.map((statement) => statement.replaceAll("{catalog}", nameOf(place)))
    )
}
