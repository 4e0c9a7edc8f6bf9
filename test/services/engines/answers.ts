import { Schema } from "effect"
import type { ColumnNumbers, TableNumbers } from "./numbers.ts"

const Count = Schema.Number
const Whole = Schema.String
const Absent = Schema.NullOr(Schema.String)

/** Each kind of `ColumnNumbers`, as programs print it. */
const Column: Schema.Codec<ColumnNumbers, unknown> = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("text"), nonNull: Count, codePoints: Whole, digest: Whole }),
  Schema.Struct({ kind: Schema.Literal("number"), nonNull: Count, sum: Absent, min: Absent, max: Absent }),
  Schema.Struct({
    kind: Schema.Literal("map"),
    nonNull: Schema.NullOr(Count),
    entries: Count,
    nullValues: Count,
    codePoints: Whole,
    digest: Whole
  })
]) as Schema.Codec<ColumnNumbers, unknown>

const Numbers = { rows: Count, distinctIds: Count, columns: Schema.Record(Schema.String, Column) }

export const TableNumbersAnswer: Schema.Codec<TableNumbers, unknown> = Schema.Struct(Numbers) as Schema.Codec<
  TableNumbers,
  unknown
>

/** What an Iceberg library sees of a table besides its rows. */
export interface LibraryCheck extends TableNumbers {
  readonly location: string
  readonly metadataLocation: string
  readonly snapshots: number
  readonly currentSnapshotId: string | null
  /** Data files of the current snapshot, and their bytes as the manifests say. */
  readonly files: number
  readonly bytes: number
  /** Files that a scan with the filter would read; null without a filter. */
  readonly prunedFiles: number | null
  /** Rows that the scan with the filter answers; null without a filter. */
  readonly filteredRows: number | null
  /** What is wrong with the table, a sentence each. */
  readonly problems: ReadonlyArray<string>
}

export const LibraryCheckAnswer: Schema.Codec<LibraryCheck, unknown> = Schema.Struct({
  ...Numbers,
  location: Schema.String,
  metadataLocation: Schema.String,
  snapshots: Count,
  currentSnapshotId: Absent,
  files: Count,
  bytes: Count,
  prunedFiles: Schema.NullOr(Count),
  filteredRows: Schema.NullOr(Count),
  problems: Schema.Array(Schema.String)
}) as Schema.Codec<LibraryCheck, unknown>

/** The table after a change of ours. */
export const ChangeAnswer = Schema.Struct({ rows: Count, snapshots: Count, metadataLocation: Schema.String })
export type Change = typeof ChangeAnswer.Type
