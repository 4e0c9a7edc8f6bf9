import type { Column, Table as GlueTable, StorageDescriptor, TableInput } from "@aws-sdk/client-glue"
import type { IcebergType, StructField, TableMetadata } from "../../metadata/TableMetadata.ts"

/*
 * Glue's description of a table, as written by Iceberg's IcebergToGlueConverter. Columns are for people and for Athena's
 * console; engines read the metadata file.
 */

export const TABLE_TYPE = "table_type"
export const METADATA_LOCATION = "metadata_location"
const PREVIOUS_METADATA_LOCATION = "previous_metadata_location"
/** Longest comment that Glue accepts, in characters. */
const COMMENT_LENGTH = 255

const PRIMITIVES: Readonly<Record<string, string>> = {
  boolean: "boolean",
  int: "int",
  long: "bigint",
  float: "float",
  double: "double",
  date: "date",
  time: "string",
  string: "string",
  uuid: "string",
  timestamp: "timestamp",
  timestamptz: "timestamp",
  binary: "binary"
}

/** A type in Hive's syntax. */
const glueType = (type: IcebergType): string => {
  if (typeof type === "string") {
    if (type.startsWith("fixed")) return "binary"
    return PRIMITIVES[type] ?? type.replace(/\s/g, "")
  }
  switch (type.type) {
    case "struct":
      return `struct<${type.fields.map((field) => `${field.name}:${glueType(field.type)}`).join(",")}>`
    case "list":
      return `array<${glueType(type.element)}>`
    case "map":
      return `map<${glueType(type.key)},${glueType(type.value)}>`
  }
}

const columnOf = (field: StructField, current: boolean, comments: ReadonlyMap<string, string>): Column => {
  const comment = field.doc ?? comments.get(field.name)
  return {
    Name: field.name,
    Type: glueType(field.type),
    ...(comment === undefined ? {} : { Comment: comment.slice(0, COMMENT_LENGTH) }),
    Parameters: {
      "iceberg.field.id": String(field.id),
      "iceberg.field.optional": String(!field.required),
      "iceberg.field.current": String(current)
    }
  }
}

/** The columns of the current schema, then those of older schemas only. A comment made in Glue stays on a column without a doc. */
const columnsOf = (metadata: TableMetadata, existing: ReadonlyArray<Column> = []): Array<Column> => {
  const comments = new Map(
    existing.flatMap(({ Comment, Name }) => (Name === undefined || Comment === undefined ? [] : [[Name, Comment]]))
  )
  const columns = new Map<string, Column>()
  const isCurrent = (id: number): boolean => id === metadata["current-schema-id"]
  for (const schema of metadata.schemas.toSorted(
    (a, b) => Number(isCurrent(b["schema-id"])) - Number(isCurrent(a["schema-id"]))
  )) {
    for (const field of schema.fields) {
      if (!columns.has(field.name)) columns.set(field.name, columnOf(field, isCurrent(schema["schema-id"]), comments))
    }
  }
  return [...columns.values()]
}

const storageOf = (metadata: TableMetadata, existing: StorageDescriptor | undefined): StorageDescriptor => ({
  ...existing,
  Location: metadata.location,
  Columns: columnsOf(metadata, existing?.Columns)
})

/** Glue's table after a commit. Values that others set in it are kept. */
export const tableInput = (
  name: string,
  metadata: TableMetadata,
  location: string,
  previous: string | null,
  existing: GlueTable | undefined
): TableInput => {
  const kept: Partial<Record<keyof TableInput, unknown>> = {
    Description: existing?.Description,
    Owner: existing?.Owner,
    LastAccessTime: existing?.LastAccessTime,
    LastAnalyzedTime: existing?.LastAnalyzedTime,
    Retention: existing?.Retention,
    PartitionKeys: existing?.PartitionKeys,
    ViewOriginalText: existing?.ViewOriginalText,
    ViewExpandedText: existing?.ViewExpandedText,
    TargetTable: existing?.TargetTable
  }
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    ...(metadata.properties["comment"] === undefined ? {} : { Description: metadata.properties["comment"] }),
    Name: name,
    TableType: "EXTERNAL_TABLE",
    Parameters: {
      ...existing?.Parameters,
      [TABLE_TYPE]: "ICEBERG",
      [METADATA_LOCATION]: location,
      ...(previous === null ? {} : { [PREVIOUS_METADATA_LOCATION]: previous })
    },
    StorageDescriptor: storageOf(metadata, existing?.StorageDescriptor)
  }
}
