import type { TableSchema } from "../metadata/TableMetadata.ts"
import type { Bound, DataFile } from "./DataFile.ts"

type Counts = ReadonlyMap<number, number> | null
type Bounds = ReadonlyMap<number, Bound> | null

/** Sums per column, for columns that all files have counts for. */
const sum = (counts: ReadonlyArray<Counts>): Counts => {
  const [first, ...rest] = counts
  if (first === undefined || first === null || rest.includes(null)) return null
  const summed = new Map<number, number>()
  for (const [id, count] of first) {
    const others = rest.map((other) => other!.get(id))
    if (others.every((other) => other !== undefined))
      summed.set(
        id,
        others.reduce((a, b) => a + b, count)
      )
  }
  return summed
}

/** Compares serialized bounds of a column; null if the order of its type is not supported. */
const comparison = (schema: TableSchema, id: number): ((a: Bound, b: Bound) => number) | null => {
  const type = schema.fields.find((field) => field.id === id)?.type
  switch (type) {
    case "string":
      return (a, b) => Buffer.compare(a, b)
    case "int":
    case "date":
      return (a, b) => Buffer.from(a).readInt32LE() - Buffer.from(b).readInt32LE()
    case "long":
    case "timestamp":
    case "timestamptz":
      return (a, b) => {
        const [x, y] = [Buffer.from(a).readBigInt64LE(), Buffer.from(b).readBigInt64LE()]
        return x < y ? -1 : x > y ? 1 : 0
      }
    default:
      return null
  }
}

/** Whether a column has only nulls in a file, and therefore no bounds. */
const isEmpty = (file: DataFile, id: number): boolean => {
  const nulls = file.nullCounts?.get(id)
  return nulls !== undefined && nulls === file.valueCounts?.get(id)
}

const extreme = (
  schema: TableSchema,
  files: ReadonlyArray<DataFile>,
  boundsOf: (file: DataFile) => Bounds,
  sign: -1 | 1
): Bounds => {
  const merged = new Map<number, Bound>()
  for (const { id } of schema.fields) {
    const compare = comparison(schema, id)
    if (compare === null) continue
    const filled = files.filter((file) => !isEmpty(file, id))
    const bounds = filled.map((file) => boundsOf(file)?.get(id))
    // A file without a bound may contain any value.
    if (bounds.includes(undefined)) continue
    let best: Bound | undefined
    for (const bound of bounds) if (best === undefined || compare(bound!, best) * sign > 0) best = bound
    if (best !== undefined) merged.set(id, best)
  }
  return merged
}

/** The metrics of a file with the rows of all these files, derived from theirs. */
export const mergedMetrics = (
  schema: TableSchema,
  files: ReadonlyArray<DataFile>
): Pick<DataFile, "valueCounts" | "nullCounts" | "nanCounts" | "lowerBounds" | "upperBounds" | "columnSizes"> => ({
  columnSizes: null,
  valueCounts: sum(files.map((file) => file.valueCounts)),
  nullCounts: sum(files.map((file) => file.nullCounts)),
  nanCounts: sum(files.map((file) => file.nanCounts)),
  lowerBounds: extreme(schema, files, (file) => file.lowerBounds, -1),
  upperBounds: extreme(schema, files, (file) => file.upperBounds, 1)
})
