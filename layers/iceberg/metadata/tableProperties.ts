import type { TableMetadata } from "./TableMetadata.ts"

/*
 * Table properties with which operators and other engines configure how a table is written and maintained (Iceberg documentation,
 * "Configuration"). They take precedence over this library's options.
 */

/** A property with a whole number of at least `min`; null if it is absent or not such a number. */
const integerOf = ({ properties }: TableMetadata, name: string, min: number): number | null => {
  const value = properties[name]
  const number = value === undefined ? Number.NaN : Number(value)
  return Number.isSafeInteger(number) && number >= min ? number : null
}

/** Whether files may be removed. Other tables may share the files of one that has this turned off. */
export const isGcEnabled = ({ properties }: TableMetadata): boolean =>
  properties["gc.enabled"]?.toLowerCase() !== "false"

export interface RetentionProperties {
  readonly maxSnapshotAgeMs: number | null
  readonly minSnapshotsToKeep: number | null
  readonly maxRefAgeMs: number | null
}

export const retentionOf = (metadata: TableMetadata): RetentionProperties => ({
  maxSnapshotAgeMs: integerOf(metadata, "history.expire.max-snapshot-age-ms", 0),
  minSnapshotsToKeep: integerOf(metadata, "history.expire.min-snapshots-to-keep", 1),
  maxRefAgeMs: integerOf(metadata, "history.expire.max-ref-age-ms", 0)
})

/** The target size of data files, in bytes; null if the table does not say. */
export const targetFileBytes = (metadata: TableMetadata): number | null =>
  integerOf(metadata, "write.target-file-size-bytes", 1)

const folderOf = (metadata: TableMetadata, property: string, name: string): string =>
  (metadata.properties[property] || `${metadata.location}/${name}`).replace(/\/+$/, "")

/** The folder of new data files, without a slash at the end. */
export const dataFolder = (metadata: TableMetadata): string => folderOf(metadata, "write.data.path", "data")

/** The folder of new manifests and manifest lists, without a slash at the end. */
export const metadataFolder = (metadata: TableMetadata): string => folderOf(metadata, "write.metadata.path", "metadata")
