/** Names of a record's fields in a file, by the ids that its schema gives them; by their usual names where it gives none. */
export interface FieldNames {
  readonly name: (id: number, usual: string) => string
  /** Names in the order of the file's schema. */
  readonly all: ReadonlyArray<string>
  readonly ids: ReadonlySet<number>
}

interface AvroField {
  readonly name: string
  readonly type: unknown
  readonly "field-id"?: number
}

const isRecord = (type: unknown): type is { readonly type: "record"; readonly fields: ReadonlyArray<AvroField> } =>
  typeof type === "object" && type !== null && "fields" in type && Array.isArray(type.fields)

/** The record within a type: itself, or what an optional one holds. */
const recordOf = (type: unknown): ReadonlyArray<AvroField> => {
  if (Array.isArray(type)) return type.flatMap((option: unknown) => recordOf(option))
  return isRecord(type) ? type.fields : []
}

const namesOf = (fields: ReadonlyArray<AvroField>): FieldNames => {
  const byId = new Map(
    fields.flatMap((field) => (field["field-id"] === undefined ? [] : [[field["field-id"], field.name]]))
  )
  return {
    name: (id, usual) => byId.get(id) ?? usual,
    all: fields.map(({ name }) => name),
    ids: new Set(byId.keys())
  }
}

/** The names in a schema's record, and in the record of one of its fields, and so on down the path of ids. */
export const fieldNames = (
  schema: unknown,
  path: ReadonlyArray<{ readonly id: number; readonly usual: string }> = []
): FieldNames => {
  let fields = recordOf(schema)
  for (const { id, usual } of path) {
    const names = namesOf(fields)
    const name = names.name(id, usual)
    fields = recordOf(fields.find((field) => field.name === name)?.type)
  }
  return namesOf(fields)
}
