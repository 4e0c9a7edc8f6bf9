import { Effect, Result, Schema } from "effect"
import type { Catalog, Table, TableName } from "../iceberg/catalog/Catalog.ts"
import { IcebergError } from "../iceberg/IcebergError.ts"
import { lastColumnId } from "../iceberg/metadata/newTableMetadata.ts"
import {
  currentSchema,
  type IcebergType,
  type PartitionSpec,
  type StructField,
  type TableMetadata,
  type TableSchema
} from "../iceberg/metadata/TableMetadata.ts"
import { COLUMNS_PROPERTY, type LakeTable, newLakeTable } from "./schema.ts"

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

const Columns = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Number))

/** The ids of our columns by their names, as the table's property has them; empty for a table of an earlier version. */
const columnIds = ({ properties }: TableMetadata): Readonly<Record<string, number>> =>
  Result.getOrElse(Schema.decodeUnknownResult(Columns)(properties[COLUMNS_PROPERTY] ?? "{}"), () => ({}))

/** The table's column for one of ours: by its id, whatever its name is now, otherwise by its name. */
const findColumn = (metadata: TableMetadata, name: string): StructField | null => {
  const { fields } = currentSchema(metadata)
  const id = columnIds(metadata)[name]
  return fields.find((field) => field.id === id) ?? fields.find((field) => field.name === name) ?? null
}

/** Whether a column of ours was in the table and another engine dropped it. */
const isDropped = (metadata: TableMetadata, name: string): boolean =>
  columnIds(metadata)[name] !== undefined && findColumn(metadata, name) === null

const missingFields = (metadata: TableMetadata, lake: LakeTable): ReadonlyArray<StructField> =>
  lake.fields.filter(({ name }) => findColumn(metadata, name) === null && !isDropped(metadata, name))

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

/** A map's keys and values have ids of their own. */
const typeWithIdsOf = (type: IcebergType, existing: IcebergType): IcebergType =>
  typeof type === "object" && type.type === "map" && typeof existing === "object" && existing.type === "map"
    ? { ...type, "key-id": existing["key-id"], "value-id": existing["value-id"] }
    : type

/** No column of a table has this id. */
const NO_ID = -1

/** The lake's fields under the table's ids, or what is wrong with the table's. Dropped ones stay, since rows have values for them. */
const resolveFields = (metadata: TableMetadata, lake: LakeTable): Result.Result<ReadonlyArray<StructField>, string> => {
  const fields: Array<StructField> = []
  for (const field of lake.fields) {
    const existing = findColumn(metadata, field.name)
    if (existing === null) {
      if (!isDropped(metadata, field.name)) return Result.fail(`it has no column ${field.name}`)
      fields.push({ ...field, id: NO_ID })
      continue
    }
    if (!isPromotion(field.type, existing.type)) {
      return Result.fail(`column ${field.name} has the type ${JSON.stringify(existing.type)}`)
    }
    fields.push({ ...field, id: existing.id, type: typeWithIdsOf(field.type, existing.type) })
  }
  const foreign = currentSchema(metadata).fields.find(
    ({ id, required }) => required && !fields.some((field) => field.id === id)
  )
  if (foreign !== undefined) return Result.fail(`its column ${foreign.name} is required but not one of Footfall's`)
  return Result.succeed(fields)
}

/** The id that the table has for a column that the lake knows by `id`. */
const tableId = (id: number, lake: LakeTable, fields: ReadonlyArray<StructField>): number =>
  fields[lake.fields.findIndex((field) => field.id === id)]?.id ?? NO_ID

/** `5,day` and `2,identity`. */
const partitionKey = (fields: PartitionSpec["fields"], idOf: (id: number) => number): string =>
  fields.map((field) => [idOf(field["source-id"]), field.transform].join()).join(" ")

const same = (id: number): number => id

/** The table's spec that partitions like the lake's. The default one comes first: another engine may have added an equal spec. */
const resolveSpec = (
  { metadata }: Table,
  lake: LakeTable,
  fields: ReadonlyArray<StructField>
): Result.Result<PartitionSpec, string> => {
  const isDefault = (spec: PartitionSpec) => Number(spec["spec-id"] === metadata["default-spec-id"])
  const wanted = partitionKey(lake.partitionSpec.fields, (id) => tableId(id, lake, fields))
  const spec = [...metadata["partition-specs"]]
    .sort((a, b) => isDefault(b) - isDefault(a))
    .find((candidate) => partitionKey(candidate.fields, same) === wanted)
  const names = lake.partitionSpec.fields.map(
    (field) => `${lake.fields.find(({ id }) => id === field["source-id"])?.name},${field.transform}`
  )
  return spec === undefined ? Result.fail(`it is not partitioned by ${names.join(" and ")}`) : Result.succeed(spec)
}

/** The lake's columns under the table's ids. The error says what another engine changed that prevents writing. */
const resolve = (table: Table, lake: LakeTable): Result.Result<WritableTable, IcebergError> =>
  Result.gen(function* () {
    const { metadata } = table
    const fields = yield* resolveFields(metadata, lake)
    const spec = yield* resolveSpec(table, lake, fields)
    const sortedBy = lake.sortOrder.fields.map((field) => tableId(field["source-id"], lake, fields))
    const order = metadata["sort-orders"].find(
      (candidate) => candidate.fields.map((field) => field["source-id"]).join() === sortedBy.join()
    )
    return {
      table,
      spec,
      lake: {
        ...lake,
        fields,
        dropped: fields.flatMap(({ id, name }) => (id === NO_ID ? [name] : [])),
        partitionSpec: spec,
        sortOrder: {
          // Order 0 means unsorted, which promises nothing. The rows are sorted nevertheless.
          "order-id": order?.["order-id"] ?? 0,
          fields: lake.sortOrder.fields.map((field, index) => ({ ...field, "source-id": sortedBy[index]! }))
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

/** Fails as a flush would if another engine has changed the table so that it can't be written to. Changes nothing. */
export const checkWritable = (table: Table, lake: LakeTable): Effect.Effect<void, IcebergError> => {
  const missing = new Set(missingFields(table.metadata, lake))
  const fields = lake.fields.filter((field) => !missing.has(field))
  return Effect.asVoid(Effect.fromResult(resolve(table, { ...lake, fields })))
}

/** What the table's property should say; the ids of dropped columns stay in it. */
export const columnsOf = ({ lake, table }: WritableTable): string =>
  JSON.stringify({
    ...columnIds(table.metadata),
    ...Object.fromEntries(lake.fields.flatMap(({ id, name }) => (id === NO_ID ? [] : [[name, id]])))
  })

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
      const missing = missingFields(table.metadata, lake)
      return missing.length === 0 ? Effect.succeed(table) : evolve(catalog, table, missing)
    }),
    Effect.retry({
      times: MAX_ATTEMPTS - 1,
      while: ({ reason }) => reason === "Conflict" || reason === "Unknown"
    }),
    Effect.flatMap((table) => Effect.fromResult(resolve(table, lake)))
  )
