import { ParquetFile } from "parquet-wasm/esm/parquet_wasm.js"
import type { StructField } from "../metadata/TableMetadata.ts"
import { FileEnd } from "./FileEnd.ts"
import { initParquet } from "./wasm.ts"

/** The ids of the columns that a file has for these fields, in its order: a map has one for its keys and one for its values. */
export const leafIds = (fields: ReadonlyArray<StructField>): ReadonlyArray<number> =>
  fields.flatMap(({ id, type }) =>
    typeof type === "object" && type.type === "map" ? [type["key-id"], type["value-id"]] : [id]
  )

/**
 * The compressed bytes of each column of a file, by field id, read from its end; null if its columns are others. Throws if it cannot be
 * read.
 */
export const columnSizesOf = async (
  end: Uint8Array,
  fileSize: number,
  ids: ReadonlyArray<number>
): Promise<ReadonlyMap<number, number> | null> => {
  initParquet()
  const parquet = await ParquetFile.fromFile(new FileEnd(end, fileSize))
  const sizes = new Map<number, number>()
  for (const group of parquet.metadata().rowGroups()) {
    const columns = group.columns()
    if (columns.length !== ids.length) return null
    for (const [index, column] of columns.entries()) {
      const id = ids[index]!
      sizes.set(id, (sizes.get(id) ?? 0) + column.compressedSize())
      column.free()
    }
    group.free()
  }
  parquet.free()
  return sizes
}
