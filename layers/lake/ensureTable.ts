import { Effect, Result } from "effect"
import type { Catalog, Table, TableName } from "../iceberg/catalog/Catalog.ts"
import { IcebergError } from "../iceberg/IcebergError.ts"
import { lastColumnId } from "../iceberg/metadata/newTableMetadata.ts"
import {
  currentSchema,
  type IcebergType,
  type PartitionSpec,
  type StructField,
  type TableSchema
} from "../iceberg/metadata/TableMetadata.ts"
import { type LakeTable, newLakeTable } from "./schema.ts"

/** Processes that start at the same time may each add a column. */
const MAX_ATTEMPTS = 5

/** A table as it was loaded, with the columns to write under the ids that the table gives them. */
export interface WritableTable {
  readonly table: Table
  readonly lake: LakeTable
  readonly spec: PartitionSpec
}

const DECIMAL = /^decimal\((\d+), ?(\d+)\)$/

/** Whether files may have one type where the table's column has the other (Iceberg spec, "Schema Evolution"). */
const isPromotion = (from: IcebergType, to: IcebergType): boolean => {
  if (typeof from !== "string" || typeof to !== "string") {
    return typeof from !== "string" && typeof to !== "string" && from.type === "map" && to.type === "map"
  }
  if (from === to || (from === "int" && to === "long")) return true
  const [a, b] = [DECIMAL.exec(from), DECIMAL.exec(to)]
  return a !== null && b !== null && a[2] === b[2] && Number(a[1]) <= Number(b[1])
}

const missingFields = (schema: TableSchema, lake: LakeTable): ReadonlyArray<StructField> => {
  const names = new Set(schema.fields.map(({ name }) => name))
  return lake.fields.filter(({ name }) => !names.has(name))
}

/** Adds optional fields, with ids after the last one that the table ever used. Existing rows have null in them. */
const withFields = (schema: TableSchema, added: ReadonlyArray<StructField>, lastId: number): TableSchema => {
  let id = lastId
  const fields = added.map((field): StructField => {
    const ownId = ++id
    const type = field.type
    if (typeof type === "string") return { ...field, id: ownId, required: false }
    if (type.type !== "map") throw new Error(`Column ${field.name} has a type that can't be added.`)
    return { ...field, id: ownId, required: false, type: { ...type, "key-id": ++id, "value-id": ++id } }
  })
  return { ...schema, fields: [...schema.fields, ...fields] }
}

const nameOf = (id: number, fields: ReadonlyArray<StructField>) => fields.find((field) => field.id === id)?.name

/** A map's keys and values have ids of their own. */
const typeWithIdsOf = (type: IcebergType, existing: IcebergType): IcebergType =>
  typeof type === "object" && type.type === "map" && typeof existing === "object" && existing.type === "map"
    ? { ...type, "key-id": existing["key-id"], "value-id": existing["value-id"] }
    : type

/** The lake's fields under the table's ids, or what is wrong with the table's. */
const resolveFields = (schema: TableSchema, lake: LakeTable): Result.Result<ReadonlyArray<StructField>, string> => {
  const fields: Array<StructField> = []
  for (const field of lake.fields) {
    const existing = schema.fields.find(({ name }) => name === field.name)
    if (existing === undefined) return Result.fail(`it has no column ${field.name}`)
    if (!isPromotion(field.type, existing.type)) {
      return Result.fail(`column ${field.name} has the type ${JSON.stringify(existing.type)}`)
    }
    fields.push({ ...field, id: existing.id, type: typeWithIdsOf(field.type, existing.type) })
  }
  const foreign = schema.fields.find(
    ({ name, required }) => required && !lake.fields.some((field) => field.name === name)
  )
  if (foreign !== undefined) return Result.fail(`its column ${foreign.name} is required but not one of Footfall's`)
  return Result.succeed(fields)
}

/** `event_time,day` and `site_id,identity`: a spec's fields by name, whatever their ids. */
const partitionNames = (spec: PartitionSpec, fields: ReadonlyArray<StructField>): ReadonlyArray<string> =>
  spec.fields.map((field) => [nameOf(field["source-id"], fields), field.transform].join())

/** The table's spec that partitions like the lake's. The default one comes first: another engine may have added an equal spec. */
const resolveSpec = ({ metadata }: Table, lake: LakeTable): Result.Result<PartitionSpec, string> => {
  const schema = currentSchema(metadata)
  const isDefault = (spec: PartitionSpec) => Number(spec["spec-id"] === metadata["default-spec-id"])
  const partition = partitionNames(lake.partitionSpec, lake.fields)
  const spec = [...metadata["partition-specs"]]
    .sort((a, b) => isDefault(b) - isDefault(a))
    .find((candidate) => partitionNames(candidate, schema.fields).join() === partition.join())
  return spec === undefined ? Result.fail(`it is not partitioned by ${partition.join(" and ")}`) : Result.succeed(spec)
}

const sortedNames = (order: LakeTable["sortOrder"], fields: ReadonlyArray<StructField>): ReadonlyArray<string> =>
  order.fields.map((field) => nameOf(field["source-id"], fields) ?? "")

/** The lake's columns under the table's ids. The error says what another engine changed that prevents writing. */
const resolve = (table: Table, lake: LakeTable): Result.Result<WritableTable, IcebergError> =>
  Result.gen(function* () {
    const { metadata } = table
    const schema = currentSchema(metadata)
    const fields = yield* resolveFields(schema, lake)
    const spec = yield* resolveSpec(table, lake)
    const sortedBy = sortedNames(lake.sortOrder, lake.fields)
    const order = metadata["sort-orders"].find(
      (candidate) => sortedNames(candidate, schema.fields).join() === sortedBy.join()
    )
    return {
      table,
      spec,
      lake: {
        ...lake,
        fields,
        partitionSpec: spec,
        sortOrder: {
          // Order 0 means unsorted, which promises nothing. The rows are sorted nevertheless.
          "order-id": order?.["order-id"] ?? 0,
          fields: lake.sortOrder.fields.map((field, index) => ({
            ...field,
            "source-id": fields.find(({ name }) => name === sortedBy[index])!.id
          }))
        }
      }
    }
  }).pipe(
    Result.mapError((problem) =>
      IcebergError.invalid(
        `Table ${table.name.name} can't be written to: ${problem}. Undo that, or configure another namespace.`
      )
    )
  )

const evolve = (catalog: Catalog, table: Table, missing: ReadonlyArray<StructField>) => {
  const { metadata } = table
  const schema = withFields(currentSchema(metadata), missing, metadata["last-column-id"])
  return catalog.commit(table, {
    requirements: [
      { type: "assert-table-uuid", uuid: metadata["table-uuid"] },
      { type: "assert-last-assigned-field-id", "last-assigned-field-id": metadata["last-column-id"] },
      { type: "assert-current-schema-id", "current-schema-id": metadata["current-schema-id"] }
    ],
    updates: [
      { action: "add-schema", schema, "last-column-id": Math.max(metadata["last-column-id"], lastColumnId(schema)) },
      { action: "set-current-schema", "schema-id": -1 }
    ]
  })
}

/** Loads the table, or creates it when missing. */
const loadOrCreate = (catalog: Catalog, name: TableName, lake: LakeTable): Effect.Effect<Table, IcebergError> =>
  catalog.load(name).pipe(
    Effect.catchIf(
      (error) => error.reason === "NotFound",
      () => catalog.create(name, newLakeTable(lake))
    ),
    Effect.catchIf(
      (error) => error.reason === "AlreadyExists",
      () => catalog.load(name)
    )
  )

/** The table with every column of this release, created or extended if necessary. Safe when several processes do this at once. */
export const ensureTable = (
  catalog: Catalog,
  name: TableName,
  lake: LakeTable
): Effect.Effect<WritableTable, IcebergError> =>
  loadOrCreate(catalog, name, lake).pipe(
    Effect.flatMap((table) => {
      const missing = missingFields(currentSchema(table.metadata), lake)
      return missing.length === 0 ? Effect.succeed(table) : evolve(catalog, table, missing)
    }),
    Effect.retry({
      times: MAX_ATTEMPTS - 1,
      while: ({ reason }) => reason === "Conflict" || reason === "Unknown"
    }),
    Effect.flatMap((table) => Effect.fromResult(resolve(table, lake)))
  )
