import type { Bound } from "./DataFile.ts"

/** The range of one partition field's values in a manifest. */
export interface PartitionSummary {
  readonly containsNull: boolean
  readonly containsNan: boolean | null
  readonly lower: Bound | null
  readonly upper: Bound | null
}

/** A manifest as a manifest list describes it. */
export interface ManifestFile {
  readonly location: string
  /** Bytes. */
  readonly length: number
  readonly specId: number
  /** 0 data, 1 deletes. */
  readonly content: number
  readonly sequenceNumber: number
  readonly minSequenceNumber: number
  readonly addedSnapshotId: bigint
  readonly addedFiles: number
  readonly existingFiles: number
  readonly deletedFiles: number
  readonly addedRows: number
  readonly existingRows: number
  readonly deletedRows: number
  /** In the order of the partition spec's fields. */
  readonly partitions: ReadonlyArray<PartitionSummary> | null
  readonly keyMetadata: Uint8Array | null
  /** In version 3, of data manifests: the id of the first row; the others follow it. Null or absent until a commit assigns it. */
  readonly firstRowId?: number | null
}

/** Whether the manifest lists any file that belongs to its snapshot. */
export const hasLiveFiles = (manifest: ManifestFile): boolean => manifest.addedFiles > 0 || manifest.existingFiles > 0
