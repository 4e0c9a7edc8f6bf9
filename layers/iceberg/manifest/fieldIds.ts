/** The names of a record's fields in a file. */
export interface FieldNames {
  /** The field with this id; `standardName` if the schema has no field ids. */
  readonly name: (id: number, standardName: string) => string
  /** All names, in the order of the file's schema. */
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

/** The fields of a record, or of the record within an optional type. */
const fieldsOf = (type: unknown): ReadonlyArray<AvroField> => {
  if (Array.isArray(type)) return type.flatMap((option: unknown) => fieldsOf(option))
  return isRecord(type) ? type.fields : []
}

const namesOf = (fields: ReadonlyArray<AvroField>): FieldNames => {
  const byId = new Map(
    fields.flatMap((field) => (field["field-id"] === undefined ? [] : [[field["field-id"], field.name]]))
  )
  return {
    name: (id, standardName) => byId.get(id) ?? standardName,
    all: fields.map(({ name }) => name),
    ids: new Set(byId.keys())
  }
}

/** The field names of a schema's record, or of the nested record at `path`. */
export const fieldNames = (
  schema: unknown,
  path: ReadonlyArray<{ readonly id: number; readonly standardName: string }> = []
): FieldNames => {
  let fields = fieldsOf(schema)
  for (const { id, standardName } of path) {
    const names = namesOf(fields)
    const name = names.name(id, standardName)
    fields = fieldsOf(fields.find((field) => field.name === name)?.type)
  }
  return namesOf(fields)
}
