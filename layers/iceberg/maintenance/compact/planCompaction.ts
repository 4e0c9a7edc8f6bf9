import type { DataFile } from "../../manifest/DataFile.ts"
import type { PartitionSpec } from "../../metadata/TableMetadata.ts"
import { pack } from "../pack.ts"

/** A file of at least this part of the target size is not compacted, as in Iceberg's own bin packing. */
const LARGE_ENOUGH = 0.75

export interface LiveFile {
  readonly file: DataFile
  readonly spec: PartitionSpec
}

/** Files of one partition to be merged into one. */
export interface FileGroup {
  readonly spec: PartitionSpec
  readonly files: ReadonlyArray<DataFile>
}

/** The index of the day among a spec's partition fields; null if files are not partitioned by day. */
const dayIndex = (spec: PartitionSpec): number | null => {
  const index = spec.fields.findIndex(({ transform }) => transform === "day")
  return index === -1 ? null : index
}

/** The lower bound of a file's time column, in µs. */
const timeOf = (file: DataFile, timeId: number): bigint => {
  const bound = file.lowerBounds?.get(timeId)
  return bound === undefined || bound.length !== 8 ? 0n : Buffer.from(bound).readBigInt64LE()
}

/** Whether a file is small and belongs to a day before `today`. */
const isCandidate = ({ file, spec }: LiveFile, targetBytes: number, today: number): boolean => {
  const index = dayIndex(spec)
  if (index === null || file.format !== "PARQUET" || file.fileSize >= targetBytes * LARGE_ENOUGH) return false
  const day = file.partition[index]
  return typeof day === "number" && day < today
}

/** Groups files of one partition in order of time, so that the resulting files overlap little. */
const groupByTime = (spec: PartitionSpec, files: ReadonlyArray<DataFile>, targetBytes: number) => {
  const timeId = spec.fields[dayIndex(spec)!]!["source-id"]
  const ordered = files
    .map((file) => ({ file, time: timeOf(file, timeId) }))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  return pack(ordered, [{ max: targetBytes, measure: ({ file }) => file.fileSize }])
    .filter((group) => group.length > 1)
    .map((group): FileGroup => ({ spec, files: group.map(({ file }) => file) }))
}

/** Which small files of past days to merge, partition by partition. `today` is in days since the epoch. */
export const planCompaction = (
  live: ReadonlyArray<LiveFile>,
  targetBytes: number,
  today: number
): ReadonlyArray<FileGroup> => {
  const candidates = live.filter((file) => isCandidate(file, targetBytes, today))
  const partitions = Map.groupBy(candidates, ({ file, spec }) => `${spec["spec-id"]} ${file.partition.join("/")}`)
  return [...partitions.values()].flatMap((files) =>
    groupByTime(
      files[0]!.spec,
      files.map(({ file }) => file),
      targetBytes
    )
  )
}
