import { tableFromIPC } from "apache-arrow"
import { Effect } from "effect"
import { readParquet } from "parquet-wasm/esm/parquet_wasm.js"
import type { Table } from "../../../layers/iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../../../layers/iceberg/IcebergError.ts"
import { forEachEntry, isLive } from "../../../layers/iceberg/maintenance/reachable.ts"
import { currentSchema, currentSnapshot, type StructField } from "../../../layers/iceberg/metadata/TableMetadata.ts"
import { initParquet } from "../../../layers/iceberg/parquet/wasm.ts"
import { manifestsOf } from "../../../layers/iceberg/table/files.ts"

export type Row = Readonly<Record<string, unknown>>

/** Files read at the same time. */
const CONCURRENCY = 8
const DECIMAL_FACTOR = 10_000

const decimal = (words: Uint32Array): number =>
  Number(
    BigInt.asIntN(
      128,
      words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n)
    )
  ) / DECIMAL_FACTOR

/** Decimals as numbers and maps as pairs; times are ms with microseconds after the point already. */
const plain = ({ type }: StructField, value: unknown): unknown => {
  if (typeof type === "object") return [...(value as Iterable<[string, string]>)]
  return type.startsWith("decimal") ? decimal(value as Uint32Array) : value
}

export interface ReadOptions {
  /** By default all. */
  readonly columns?: ReadonlyArray<string>
  /** Converts a value that is not null; by default to a plain one. */
  readonly convert?: (field: StructField, value: unknown) => unknown
}

/** Every row of a table's current snapshot, unordered. */
export const readTable = (
  table: Table,
  { columns, convert = plain }: ReadOptions = {}
): Effect.Effect<ReadonlyArray<Row>, IcebergError> =>
  Effect.gen(function* () {
    initParquet()
    const fields = currentSchema(table.metadata).fields.filter(({ name }) => columns?.includes(name) ?? true)
    const locations: Array<string> = []
    yield* forEachEntry(table, yield* manifestsOf(table, currentSnapshot(table.metadata)), (entry) => {
      if (isLive(entry)) locations.push(entry.file.location)
    })
    const files = yield* Effect.forEach(
      locations,
      (location) =>
        Effect.map(table.store.read(location), (bytes): ReadonlyArray<Row> => {
          const options = columns === undefined ? {} : { columns: [...columns] }
          const file = tableFromIPC(readParquet(bytes, options).intoIPCStream())
          const read = fields.map((field) => ({ field, column: file.getChild(field.name) }))
          return Array.from({ length: file.numRows }, (_, row) =>
            Object.fromEntries(
              read.map(({ column, field }) => [
                field.name,
                column?.isValid(row) === true ? convert(field, column.get(row)) : null
              ])
            )
          )
        }),
      { concurrency: CONCURRENCY }
    )
    return files.flat()
  })
