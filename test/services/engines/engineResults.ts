import { Schema } from "effect"
import type { ColumnNumbers, TableNumbers } from "./numbers.ts"

const Count = Schema.Number
const Integer = Schema.String
const Optional = Schema.NullOr(Schema.String)

/** Each kind of `ColumnNumbers` in a program's output. */
const Column: Schema.Codec<ColumnNumbers, unknown> = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("string"), nonNull: Count, codePoints: Integer, digest: Integer }),
  Schema.Struct({ kind: Schema.Literal("number"), nonNull: Count, sum: Optional, min: Optional, max: Optional }),
  Schema.Struct({
    kind: Schema.Literal("map"),
    nonNull: Schema.NullOr(Count),
    entries: Count,
    nullValues: Count,
    codePoints: Integer,
    digest: Integer
  })
]) as Schema.Codec<ColumnNumbers, unknown>

const Numbers = { rows: Count, distinctIds: Count, columns: Schema.Record(Schema.String, Column) }

export const TableNumbersResult: Schema.Codec<TableNumbers, unknown> = Schema.Struct(Numbers) as Schema.Codec<
  TableNumbers,
  unknown
>

/** What an Iceberg library reports about a table in addition to its rows. */
export interface LibraryCheck extends TableNumbers {
  readonly location: string
  readonly metadataLocation: string
  readonly snapshots: number
  readonly currentSnapshotId: string | null
  /** Data files of the current snapshot, and their bytes according to the manifests. */
  readonly files: number
  readonly bytes: number
  /** Files that a scan with the filter reads; null without a filter. */
  readonly prunedFiles: number | null
  /** Rows that the scan with the filter returns; null without a filter. */
  readonly filteredRows: number | null
  /** Problems of the table, a sentence each. */
  readonly problems: ReadonlyArray<string>
}

export const LibraryCheckResult: Schema.Codec<LibraryCheck, unknown> = Schema.Struct({
  ...Numbers,
  location: Schema.String,
  metadataLocation: Schema.String,
  snapshots: Count,
  currentSnapshotId: Optional,
  files: Count,
  bytes: Count,
  prunedFiles: Schema.NullOr(Count),
  filteredRows: Schema.NullOr(Count),
  problems: Schema.Array(Schema.String)
}) as Schema.Codec<LibraryCheck, unknown>

/** The table after a change. */
export const ChangeResult = Schema.Struct({ rows: Count, snapshots: Count, metadataLocation: Schema.String })
export type Change = typeof ChangeResult.Type
