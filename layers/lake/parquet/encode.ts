import { Field, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct } from "apache-arrow"
import { Table, writeParquet } from "parquet-wasm/esm/parquet_wasm.js"
import type { DataFile } from "../../iceberg/manifest/DataFile.ts"
import { leafIds } from "../../iceberg/parquet/columnSizes.ts"
import { initParquet } from "../../iceberg/parquet/wasm.ts"
import { writerProperties } from "../../iceberg/parquet/writerProperties.ts"
import { CREATED_BY } from "../createdBy.ts"
import type { Column } from "./columns.ts"
import type { Rows } from "./rows.ts"

/** Offset of the first row group, after `PAR1`. */
const FIRST_ROW_GROUP = 4

export interface EncodedFile {
  readonly bytes: Uint8Array
  /** Ids of the file's columns, in its order. */
  readonly columnIds: ReadonlyArray<number>
  readonly file: Omit<DataFile, "location">
}

const measuredColumns = (rows: Rows) => {
  const names = new Set(rows.table.measured).difference(new Set(rows.table.dropped))
  return rows.table.fields.flatMap((field, index) =>
    names.has(field.name) ? [{ id: field.id, column: rows.columns[index]! }] : []
  )
}

const bounds = (
  measured: ReadonlyArray<{ readonly id: number; readonly column: Column<unknown> }>,
  boundOf: (column: Column<unknown>) => Uint8Array | null
): ReadonlyMap<number, Uint8Array> => {
  const found = new Map<number, Uint8Array>()
  for (const { column, id } of measured) {
    const bound = boundOf(column)
    if (bound !== null) found.set(id, bound)
  }
  return found
}

interface Ordered {
  readonly order: () => Uint32Array | null
}
const isOrdered = (column: object): column is Ordered => "order" in column

/** The order of rows that the table's sort order, one time column, asks for; null if they already are in order. */
const sortedOrder = (rows: Rows): Uint32Array | null => {
  const by = rows.table.sortOrder.fields[0]?.["source-id"]
  const column = rows.columns[rows.table.fields.findIndex(({ id }) => id === by)]
  if (column === undefined || !isOrdered(column)) throw new Error(`${rows.table.name} is not sorted by a time column.`)
  return column.order()
}

/** A Parquet file of the rows, sorted, and its entry in a manifest. Blocks the thread for about 15 us per row. */
export const encodeParquet = (rows: Rows): EncodedFile => {
  initParquet()
  const order = sortedOrder(rows)
  const dropped = new Set(rows.table.dropped)
  const written = rows.table.fields.flatMap((field, index) =>
    dropped.has(field.name) ? [] : [{ field, data: rows.columns[index]!.data(order) }]
  )
  const children = written.map(({ data }) => data)
  const schema = new Schema(
    written.map(
      ({ data, field: { id, name, required } }) =>
        new Field(name, data.type, !required, new Map([["PARQUET:field_id", String(id)]]))
    )
  )
  const batch = new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: rows.count, nullCount: 0, children })
  )
  const stream = RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true)
  const bytes = writeParquet(Table.fromIPCStream(stream), writerProperties(CREATED_BY))
  const measured = measuredColumns(rows)
  return {
    bytes,
    columnIds: leafIds(written.map(({ field }) => field)),
    file: {
      content: 0,
      format: "PARQUET",
      partition: rows.partition,
      recordCount: rows.count,
      fileSize: bytes.length,
      columnSizes: null,
      valueCounts: new Map(measured.map(({ id }) => [id, rows.count])),
      nullCounts: new Map(measured.map(({ column, id }) => [id, column.nulls()])),
      nanCounts: null,
      lowerBounds: bounds(measured, (column) => column.lower()),
      upperBounds: bounds(measured, (column) => column.upper()),
      keyMetadata: null,
      splitOffsets: [FIRST_ROW_GROUP],
      equalityIds: null,
      sortOrderId: rows.table.sortOrder["order-id"]
    }
  }
}
