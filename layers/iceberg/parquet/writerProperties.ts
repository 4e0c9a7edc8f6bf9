import {
  Compression,
  EnabledStatistics,
  type WriterProperties,
  WriterPropertiesBuilder
} from "parquet-wasm/esm/parquet_wasm.js"

/** Rows per row group: readers skip by row group, and writers hold one in memory. */
const ROW_GROUP_ROWS = 131_072

/**
 * How every Parquet file is written. `createdBy` names the application in each file's footer. The write that takes a
 * `WriterProperties` consumes it, so each write needs a new one.
 */
export const writerProperties = (createdBy: string): WriterProperties =>
  new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROW_GROUP_ROWS)
    .setCreatedBy(createdBy)
    .build()
