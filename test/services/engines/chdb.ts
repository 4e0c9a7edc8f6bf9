import { join } from "node:path"
import { Schema } from "effect"
import { chdbPython } from "../../../scripts/services/engines.ts"
import { s3Access } from "./EngineCatalog.ts"
import type { TableNumbers } from "./numbers.ts"
import { runEngine } from "./runEngine.ts"
import { clickhouseDialect, type Row, sqlNumbers } from "./sqlNumbers.ts"

const PROGRAM = join(import.meta.dir, "python", "clickhouse.py")
const Results = Schema.Struct({
  results: Schema.Array(Schema.Array(Schema.Array(Schema.NullOr(Schema.String))))
})

const quoted = (value: string) => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`

/** ClickHouse's SQL for the table at a location; `metadata` selects one of its metadata files by name. */
const tableAt = (location: string, metadata: string | undefined): string => {
  const settings =
    metadata === undefined ? "" : `, SETTINGS iceberg_metadata_file_path = ${quoted(`metadata/${metadata}`)}`
  const s3 = s3Access()
  const remote = /^s3:\/\/(.*)$/.exec(location)
  return remote === null
    ? `icebergLocal(${quoted(location.replace(/^file:/, ""))}, 'Parquet'${settings})`
    : `icebergS3(${quoted(`${s3.endpoint}/${remote[1]}`)}, ${quoted(s3.accessKeyId)}, ${quoted(s3.secretAccessKey)}${settings})`
}

const runAll = async (
  statements: ReadonlyArray<string>,
  deadlineMs?: number
): Promise<ReadonlyArray<ReadonlyArray<Row>>> => {
  // It reads only files below its working directory.
  const run = { command: [await chdbPython(), PROGRAM], cwd: "/", input: { statements }, deadlineMs }
  return (await runEngine(Results, run)).results
}

export interface ChdbTable {
  /** `s3://…`, or a local folder. */
  readonly location: string
  /** By default, ClickHouse uses the newest metadata file in the folder. */
  readonly metadataLocation?: string
}

/** ClickHouse's engine, chdb 4.4. It reads a null map as an empty one. */
export const chdb = {
  /** Reads every column of every row. */
  check: async (table: ChdbTable & { readonly id: string; readonly deadlineMs?: number }): Promise<TableNumbers> => {
    const from = tableAt(table.location, table.metadataLocation?.split("/").at(-1))
    const [described = []] = await runAll([`DESCRIBE TABLE ${from}`], table.deadlineMs)
    const columns = described.map(([name, type]) => ({ name: name ?? "", type: type ?? "" }))
    return sqlNumbers(
      clickhouseDialect,
      from,
      table.id,
      columns,
      async (statement) => (await runAll([statement], table.deadlineMs))[0] ?? []
    )
  },
  /** Runs statements in order; `{table}` in them stands for the table. */
  query: (table: ChdbTable, statements: ReadonlyArray<string>): Promise<ReadonlyArray<ReadonlyArray<Row>>> => {
    const from = tableAt(table.location, table.metadataLocation?.split("/").at(-1))
    return runAll(statements.map((statement) => statement.replaceAll("{table}", from)))
  }
}
