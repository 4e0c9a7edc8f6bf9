import { Effect } from "effect"
import type { Catalog, Table, TableName } from "../iceberg/catalog/Catalog.ts"
import { type IcebergError, icebergError } from "../iceberg/IcebergError.ts"
import { lastColumnId } from "../iceberg/metadata/newTableMetadata.ts"
import {
  currentSchema,
  type IcebergType,
  type PartitionSpec,
  type StructField,
  type TableSchema
} from "../iceberg/metadata/TableMetadata.ts"
import { type LakeTable, newLakeTable } from "./schema.ts"

/** Two processes that start at once may both add a column. */
const MOST_TRIES = 5

/** A table as it is, with the columns to write under the ids that it gives them. */
export interface WritableTable {
  readonly table: Table
  readonly lake: LakeTable
  readonly spec: PartitionSpec
}

const DECIMAL = /^decimal\((\d+), ?(\d+)\)$/

/** Whether a file of one type may stand in a column of another (Iceberg spec, "Schema Evolution"). */
const isPromoted = (from: IcebergType, to: IcebergType): boolean => {
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

/** Ids are handed out anew from the last one that the table ever used. Rows that are there have no value in a new column. */
const withFields = (schema: TableSchema, added: ReadonlyArray<StructField>, lastId: number): TableSchema => {
  let id = lastId
  const fields = added.map((field): StructField => {
    const own = ++id
    const type = field.type
    if (typeof type === "string") return { ...field, id: own, required: false }
    if (type.type !== "map") throw new Error(`Column ${field.name} has a type that can't be added.`)
    return { ...field, id: own, required: false, type: { ...type, "key-id": ++id, "value-id": ++id } }
  })
  return { ...schema, fields: [...schema.fields, ...fields] }
}

/** The lake's columns under the table's ids; an error says what another engine changed that can't be written to. */
const resolve = (table: Table, lake: LakeTable): WritableTable | IcebergError => {
  const schema = currentSchema(table.metadata)
  const wrong = (what: string) =>
    icebergError(
      "Invalid",
      `Table ${table.name.name} can't be written to: ${what}. Undo that, or set another namespace.`
    )
  const fields: Array<StructField> = []
  for (const field of lake.fields) {
    const there = schema.fields.find(({ name }) => name === field.name)
    if (there === undefined) return wrong(`it has no column ${field.name}`)
    if (!isPromoted(field.type, there.type))
      return wrong(`column ${field.name} has the type ${JSON.stringify(there.type)}`)
    fields.push({
      ...field,
      id: there.id,
      type:
        typeof field.type === "object" &&
        field.type.type === "map" &&
        typeof there.type === "object" &&
        there.type.type === "map"
          ? { ...field.type, "key-id": there.type["key-id"], "value-id": there.type["value-id"] }
          : field.type
    })
  }
  const foreign = schema.fields.find(
    ({ name, required }) => required && !lake.fields.some((field) => field.name === name)
  )
  if (foreign !== undefined) return wrong(`its column ${foreign.name} is required and not ours`)
  const nameOf = (id: number, of: ReadonlyArray<StructField>) => of.find((field) => field.id === id)?.name
  const partition = lake.partitionSpec.fields.map((field) =>
    [nameOf(field["source-id"], lake.fields), field.transform].join()
  )
  const sort = lake.sortOrder.fields.map((field) => nameOf(field["source-id"], lake.fields)).join()
  const { metadata } = table
  const spec = [...metadata["partition-specs"]]
    // The default one first: another engine may have gone on to a spec that divides like ours.
    .sort(
      (a, b) =>
        Number(b["spec-id"] === metadata["default-spec-id"]) - Number(a["spec-id"] === metadata["default-spec-id"])
    )
    .find(
      ({ fields: of }) =>
        of.map((field) => [nameOf(field["source-id"], schema.fields), field.transform].join()).join() ===
        partition.join()
    )
  if (spec === undefined) return wrong(`it is not partitioned by ${partition.join(" and ")}`)
  const order = metadata["sort-orders"].find(
    ({ fields: of }) => of.map((field) => nameOf(field["source-id"], schema.fields)).join() === sort
  )
  return {
    table,
    spec,
    lake: {
      ...lake,
      fields,
      partitionSpec: spec,
      // Order 0 is none, which claims nothing; the rows are sorted all the same.
      sortOrder: {
        "order-id": order?.["order-id"] ?? 0,
        fields: lake.sortOrder.fields.map((field, index) => ({
          ...field,
          "source-id": fields.find(({ name }) => name === sort.split(",")[index])!.id
        }))
      }
    }
  }
}

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

/** The table, made when it is missing, with every column of this release. Safe beside others that do the same. */
export const ensureTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  lake: LakeTable
): Effect.fn.Return<WritableTable, IcebergError> {
  let table: Table = yield* catalog.load(name).pipe(
    Effect.catchIf(
      (error) => error.reason === "NotFound",
      () => catalog.create(name, newLakeTable(lake))
    ),
    Effect.catchIf(
      (error) => error.reason === "AlreadyExists",
      () => catalog.load(name)
    )
  )
  for (let attempt = 1; ; attempt++) {
    const missing = missingFields(currentSchema(table.metadata), lake)
    if (missing.length === 0) break
    const evolved = yield* Effect.result(evolve(catalog, table, missing))
    if (evolved._tag === "Success") table = evolved.success
    else if (attempt === MOST_TRIES || !["Conflict", "Unknown"].includes(evolved.failure.reason))
      return yield* evolved.failure
    else table = yield* catalog.load(name)
  }
  const resolved = resolve(table, lake)
  return "reason" in resolved ? yield* resolved : resolved
})
