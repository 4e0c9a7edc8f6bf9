/** The exact versions of the local services and third-party engines that the tests ran with. */
export const VERSIONS = {
  seaweedfs: "4.48",
  moto: "5.2.5",
  trino: "476",
  /** The oldest Java that this Trino starts with, according to its own message. */
  trinoJava: 22,
  /** The Java that the checker and Spark ran with; both reject older ones. */
  java: 17,
  iceberg: "1.12.0",
  pyiceberg: "0.12.0",
  boto3: "1.44.5",
  /** The last version with extension packages; extensions load only into the DuckDB that they were built for. */
  duckdb: "1.5.5",
  chdb: "4.4.0",
  pyspark: "4.1.4",
  /** What Iceberg's own Java library runs with. */
  awsSdk: "2.46.7",
  hadoop: "3.4.1",
  wildflyOpenssl: "1.1.3.Final",
  slf4j: "2.0.17",
  postgresJdbc: "42.7.7"
} as const
