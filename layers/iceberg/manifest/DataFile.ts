/** A value of a partition field: days and integers as numbers, strings, null. */
export type PartitionValue = number | bigint | string | boolean | Uint8Array | null

/** Iceberg's single-value serialization, as bounds are stored. */
export type Bound = Uint8Array

/** A file of rows and what is known about them, as a manifest entry's `data_file` tells it. Maps are by field id. */
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

/** A file as a manifest lists it. Null: inherited from the manifest's own entry in the list. */
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
