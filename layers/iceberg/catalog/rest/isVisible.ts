import type { IcebergType, StructField, TableMetadata, TableSchema } from "../../metadata/TableMetadata.ts"
import type { TableChange, TableUpdate } from "../../metadata/TableUpdate.ts"
import { addedSnapshots, hasSnapshots } from "../changedMetadata.ts"

const typeKey = (type: IcebergType): unknown => {
  if (typeof type === "string") return type.replace(/\s/g, "")
  switch (type.type) {
    case "struct":
      return fieldsKey(type.fields)
    case "map":
      return [type["key-id"], typeKey(type.key), type["value-id"], typeKey(type.value), type["value-required"]]
    case "list":
      return [type["element-id"], typeKey(type.element), type["element-required"]]
  }
}
const fieldsKey = (fields: ReadonlyArray<StructField>): unknown =>
  fields.map((field) => [field.id, field.name, field.required, typeKey(field.type)])

const sameColumns = (a: TableSchema, b: TableSchema): boolean =>
  JSON.stringify(fieldsKey(a.fields)) === JSON.stringify(fieldsKey(b.fields))

const isDone = (metadata: TableMetadata, update: TableUpdate, added: TableSchema | null): boolean => {
  switch (update.action) {
    case "add-schema":
      return metadata.schemas.some((schema) => sameColumns(schema, update.schema))
    case "set-current-schema": {
      const current = metadata.schemas.find((schema) => schema["schema-id"] === metadata["current-schema-id"])
      if (update["schema-id"] !== -1) return current?.["schema-id"] === update["schema-id"]
      return current !== undefined && added !== null && sameColumns(current, added)
    }
    case "add-snapshot":
      return hasSnapshots(metadata, [update.snapshot["snapshot-id"]])
    case "set-snapshot-ref":
      return metadata.refs?.[update["ref-name"]]?.["snapshot-id"] === update["snapshot-id"]
    case "remove-snapshots":
      return update["snapshot-ids"].every((id) => !hasSnapshots(metadata, [id]))
    case "remove-snapshot-ref":
      return metadata.refs?.[update["ref-name"]] === undefined
    case "set-properties":
      return Object.entries(update.updates).every(([key, value]) => metadata.properties[key] === value)
    case "remove-properties":
      return update.removals.every((key) => metadata.properties[key] === undefined)
  }
}

/**
 * Whether a table shows a change. A snapshot is identified by its id, and whatever was committed with it is visible too. A
 * change without a snapshot is visible once everything that it requests holds, no matter who did it.
 */
export const isVisible = (metadata: TableMetadata, change: TableChange): boolean => {
  const snapshots = addedSnapshots(change)
  if (snapshots.length > 0) return hasSnapshots(metadata, snapshots)
  const added = change.updates.findLast((update) => update.action === "add-schema")?.schema ?? null
  return change.updates.every((update) => isDone(metadata, update, added))
}
