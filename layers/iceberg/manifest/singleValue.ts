import type { IcebergType, PartitionField, TableSchema } from "../metadata/TableMetadata.ts"
import type { Bound, PartitionValue } from "./DataFile.ts"

/** Iceberg spec, "Binary single-value serialization"; null if the type is not supported. */
export const encodeValue = (type: IcebergType, value: Exclude<PartitionValue, null>): Bound | null => {
  if (typeof type !== "string") return null
  switch (type) {
    case "boolean":
      return Uint8Array.of(value === true ? 1 : 0)
    case "int":
    case "date": {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(Number(value))
      return bytes
    }
    case "long":
    case "time":
    case "timestamp":
    case "timestamptz": {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(value as number | bigint))
      return bytes
    }
    case "float": {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(Number(value))
      return bytes
    }
    case "double": {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(Number(value))
      return bytes
    }
    case "string":
      return Buffer.from(value as string)
    case "binary":
      return value as Uint8Array
    default:
      return type.startsWith("decimal(") && typeof value === "bigint" ? unscaledBytes(value) : null
  }
}

/** Two's complement, big-endian, in as few bytes as possible. */
const unscaledBytes = (unscaled: bigint): Bound => {
  let length = 1
  while (BigInt.asIntN(length * 8, unscaled) !== unscaled) length++
  const hex = BigInt.asUintN(length * 8, unscaled)
    .toString(16)
    .padStart(length * 2, "0")
  return Buffer.from(hex, "hex")
}

/** The type of a partition field's values (Iceberg spec, "Partition Transforms"); null if its source column is missing. */
export const transformType = (schema: TableSchema, field: PartitionField): IcebergType | null => {
  if (field.transform === "identity" || field.transform.startsWith("truncate[")) {
    return schema.fields.find(({ id }) => id === field["source-id"])?.type ?? null
  }
  return field.transform === "day" ? "date" : "int"
}

/** Orders values of one type: numbers by size, strings by code point, false before true. */
export const compareValues = (a: Exclude<PartitionValue, null>, b: Exclude<PartitionValue, null>): number => {
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  return a < b ? -1 : a > b ? 1 : 0
}
