/** Every version that the local services and the foreign engines are fetched in: tests were run with exactly these. */
export const VERSIONS = {
  seaweedfs: "4.48",
  moto: "5.2.5",
  trino: "476",
  /** Oldest Java that this Trino starts with, by its own message. */
  trinoJava: 22,
  /** Java that the checker and Spark were run with; both refuse older ones. */
  java: 17,
  iceberg: "1.12.0",
  pyiceberg: "0.12.0",
  boto3: "1.44.5",
  /** The extension packages end at this version, and extensions load into exactly the DuckDB that they were built for. */
  duckdb: "1.5.5",
  chdb: "4.4.0",
  pyspark: "4.1.4",
  /** What Iceberg's own Java library is run with. */
  awsSdk: "2.46.7",
  hadoop: "3.4.1",
  wildflyOpenssl: "1.1.3.Final",
  slf4j: "2.0.17",
  postgresJdbc: "42.7.7"
} as const
