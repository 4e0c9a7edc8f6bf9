import { existsSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Failure } from "./Failure.ts"
import { ensure, ensureVenv, maven, runLogged } from "./fetch.ts"
import { findJava } from "./java.ts"
import { inServices, PROJECT } from "./place.ts"
import { VERSIONS } from "./versions.ts"

/** The DuckDB extensions needed to read Iceberg from S3, in loading order. */
export const DUCKDB_EXTENSIONS = ["avro", "httpfs", "iceberg"] as const

/** Python with pyiceberg; returns the interpreter. */
export const pyicebergPython = async (): Promise<string> =>
  join(
    await ensureVenv("pyiceberg", [
      // pyiceberg-core: without it, an append to a day() partition fails.
      `pyiceberg[sql-postgres,pyarrow,pyiceberg-core]==${VERSIONS.pyiceberg}`,
      `boto3==${VERSIONS.boto3}`
    ]),
    "python"
  )

/** Python with ClickHouse's engine; returns the interpreter. */
export const chdbPython = async (): Promise<string> =>
  join(await ensureVenv("chdb", [`chdb==${VERSIONS.chdb}`]), "python")

/** Python with Spark (which needs Java 17 at run time); returns the interpreter. */
export const sparkPython = async (): Promise<string> =>
  join(await ensureVenv("spark", [`pyspark==${VERSIONS.pyspark}`]), "python")

/** A folder with `<name>.duckdb_extension` for each extension, as DuckDB's vendor built them. */
export const duckdbExtensions = async (): Promise<string> => {
  const folder = inServices("duckdb-extensions")
  const packages = DUCKDB_EXTENSIONS.map((name) => `duckdb-extension-${name}==${VERSIONS.duckdb}`)
  await ensure("duckdb", folder, packages.join("\n"), `fetching ${packages.join(", ")} from PyPI`, async () => {
    // Without their dependencies: DuckDB is a Node module here.
    const venv = join(await ensureVenv("duckdb", packages, ["--no-deps"]), "..")
    for (const name of DUCKDB_EXTENSIONS) {
      const [file] = new Bun.Glob(`**/${name}.duckdb_extension`).scanSync(venv)
      renameSync(join(venv, file!), join(folder, `${name}.duckdb_extension`))
    }
    rmSync(venv, { recursive: true })
  })
  return folder
}

const JAVA_SOURCE = join(PROJECT, "test", "services", "engines", "java")

/** The checker built on Iceberg's own Java library: the command that runs it, recompiled when its source is newer. */
export const icebergJava = async (): Promise<ReadonlyArray<string>> => {
  const java = findJava("iceberg-java", VERSIONS.java)
  const javac = join(java, "..", "javac")
  if (!existsSync(javac)) {
    throw new Failure(
      `iceberg-java: ${java} comes without a compiler. Install a JDK (Debian: openjdk-17-jdk-headless).`
    )
  }
  const pom = join(JAVA_SOURCE, "pom.xml")
  const source = join(JAVA_SOURCE, "IceCheck.java")
  const make = `${readFileSync(pom, "utf8")}\n${JSON.stringify(VERSIONS)}`
  const libraries = inServices("iceberg-java", "lib")
  const versions = Object.entries(VERSIONS).map(([name, version]) => `-D${name}=${version}`)
  const copy = ["-f", pom, ...versions, "dependency:copy-dependencies", `-DoutputDirectory=${libraries}`]
  await ensure(
    "iceberg-java",
    libraries,
    make,
    `fetching Iceberg ${VERSIONS.iceberg} and its dependencies from Maven`,
    () => runLogged("iceberg-java", maven("iceberg-java", copy), { into: libraries })
  )
  const classes = inServices("iceberg-java", "classes")
  const classPath = `${join(libraries, "*")}:${classes}`
  await ensure("iceberg-java", classes, `${make}\n${readFileSync(source, "utf8")}`, "compiling IceCheck.java", () =>
    runLogged("iceberg-java", [javac, "-nowarn", "-cp", classPath, "-d", classes, source], { into: classes })
  )
  return [java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classPath, "IceCheck"]
}

/** The jars with which Spark reads Iceberg on S3 and in Postgres; returns their folder. */
export const sparkJars = async (): Promise<string> => {
  const folder = inServices("spark-jars")
  const jars = [
    `org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:${VERSIONS.iceberg}`,
    `org.apache.iceberg:iceberg-aws-bundle:${VERSIONS.iceberg}`,
    `org.postgresql:postgresql:${VERSIONS.postgresJdbc}`
  ]
  await ensure("spark-jars", folder, jars.join("\n"), `fetching ${jars.join(", ")} from Maven`, async () => {
    for (const jar of jars) {
      const copy = ["dependency:copy", `-Dartifact=${jar}`, `-DoutputDirectory=${folder}`]
      await runLogged("spark-jars", maven("spark-jars", copy), { into: folder })
    }
  })
  return folder
}

/** Third-party engines, by the name that `services fetch` accepts. */
export const ENGINES: ReadonlyArray<{ readonly name: string; readonly fetch: () => Promise<unknown> }> = [
  { name: "pyiceberg", fetch: pyicebergPython },
  { name: "iceberg-java", fetch: icebergJava },
  { name: "duckdb", fetch: duckdbExtensions },
  { name: "chdb", fetch: chdbPython },
  { name: "spark", fetch: () => sparkPython().then(sparkJars) }
]
