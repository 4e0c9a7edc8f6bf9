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

/** An integer bound of either width: an engine that widens a column leaves the bounds of existing files as they are. */
const integerIn = (bound: Bound): bigint | null => {
  const bytes = Buffer.from(bound)
  return bytes.length === 4 ? BigInt(bytes.readInt32LE()) : bytes.length === 8 ? bytes.readBigInt64LE() : null
}

/**
 * Compares serialized bounds of a column; null if the order of its type is not supported. The comparison is null if a bound cannot be
 * read.
 */
const comparison = (schema: TableSchema, id: number): ((a: Bound, b: Bound) => number | null) | null => {
  const type = schema.fields.find((field) => field.id === id)?.type
  switch (type) {
    case "string":
      return (a, b) => Buffer.compare(a, b)
    case "int":
    case "date":
    case "long":
    case "timestamp":
    case "timestamptz":
      return (a, b) => {
        const [x, y] = [integerIn(a), integerIn(b)]
        return x === null || y === null ? null : x < y ? -1 : x > y ? 1 : 0
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

/** The smallest (-1) or largest (1) bound; null if there is none, or if one cannot be compared. */
const extremeOf = (
  bounds: ReadonlyArray<Bound>,
  compare: (a: Bound, b: Bound) => number | null,
  sign: -1 | 1
): Bound | null => {
  let best: Bound | null = null
  for (const bound of bounds) {
    const order = compare(bound, best ?? bound)
    if (order === null) return null
    if (best === null || order * sign > 0) best = bound
  }
  return best
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
    const best = extremeOf(bounds as ReadonlyArray<Bound>, compare, sign)
    if (best !== null) merged.set(id, best)
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
