/** A value of a partition field. Days are numbers. */
export type PartitionValue = number | bigint | string | boolean | Uint8Array | null

/** A bound in Iceberg's single-value serialization. */
export type Bound = Uint8Array

/** A file and its metrics (a manifest entry's `data_file`). Maps are keyed by field id. */
export interface DataFile {
  /** 0 data, 1 position deletes, 2 equality deletes. */
  readonly content: number
  readonly location: string
  /** `PARQUET`, `ORC`, `AVRO`. */
  readonly format: string
  /** In the order of the partition spec's fields. */
  readonly partition: ReadonlyArray<PartitionValue>
  readonly recordCount: number
  /** Bytes. */
  readonly fileSize: number
  readonly columnSizes: ReadonlyMap<number, number> | null
  readonly valueCounts: ReadonlyMap<number, number> | null
  readonly nullCounts: ReadonlyMap<number, number> | null
  readonly nanCounts: ReadonlyMap<number, number> | null
  readonly lowerBounds: ReadonlyMap<number, Bound> | null
  readonly upperBounds: ReadonlyMap<number, Bound> | null
  readonly keyMetadata: Uint8Array | null
  readonly splitOffsets: ReadonlyArray<number> | null
  readonly equalityIds: ReadonlyArray<number> | null
  readonly sortOrderId: number | null
}

/** A file as a manifest lists it. Null values are inherited from the manifest's own entry in the manifest list. */
export interface ManifestEntry {
  readonly status: "existing" | "added" | "deleted"
  readonly snapshotId: bigint | null
  readonly sequenceNumber: number | null
  readonly fileSequenceNumber: number | null
  readonly file: DataFile
}

export const rowsIn = (files: ReadonlyArray<DataFile>): number =>
  files.reduce((sum, { recordCount }) => sum + recordCount, 0)
export const bytesIn = (files: ReadonlyArray<DataFile>): number =>
  files.reduce((sum, { fileSize }) => sum + fileSize, 0)
