import { fieldIdOf, propertyFieldName } from "../../domain/fieldId.ts"
import type { RegisteredProperty } from "../../ports/Properties.ts"
import { VIEWS, type View, type ViewColumn, type ViewName } from "./views.ts"

/** Of the virtual database with the views, as in Metabase's product analytics. */
export const DATABASE_ID = 13371338

/** What the id of a field is computed from. */
export const columnName = (view: ViewName, column: string): string => `${view}.${column}`

/** A column of a view as a field. */
export interface ColumnField {
  readonly kind: "column"
  readonly id: number
  readonly view: View
  readonly column: ViewColumn
  /** Within its view, from 0. */
  readonly position: number
}

/** A property of a site's events, or an attribute of its visitors, as a field. */
export interface PropertyField {
  readonly kind: "property"
  readonly id: number
  readonly property: RegisteredProperty
}

export type Field = ColumnField | PropertyField

/** What the field's id is computed from. */
export const fieldName = (field: Field): string =>
  field.kind === "column" ? columnName(field.view.name, field.column.name) : propertyFieldName(field.property)

const TABLES = VIEWS.map((view) => ({ id: fieldIdOf(view.name), view }))
const TABLE_BY_ID = new Map(TABLES.map(({ id, view }) => [id, view]))
const TABLE_IDS = new Map(TABLES.map(({ id, view }) => [view.name, id]))

export const tableIdOf = (view: ViewName): number => TABLE_IDS.get(view)!
/** The view with this id as a table; undefined if there is none. */
export const findTable = (id: number): View | undefined => TABLE_BY_ID.get(id)

const COLUMNS: ReadonlyMap<ViewName, ReadonlyArray<ColumnField>> = new Map(
  VIEWS.map((view) => [
    view.name,
    view.columns.map((column, position) => ({
      kind: "column" as const,
      id: fieldIdOf(columnName(view.name, column.name)),
      view,
      column,
      position
    }))
  ])
)
const BY_COLUMN = new Map([...COLUMNS.values()].flat().map((field) => [field.column, field]))
const COLUMN_BY_ID = new Map([...COLUMNS.values()].flat().map((field) => [field.id, field]))

export const columnsOf = (view: ViewName): ReadonlyArray<ColumnField> => COLUMNS.get(view)!
export const findColumn = (id: number): ColumnField | undefined => COLUMN_BY_ID.get(id)
/** The field that a view's column is; undefined for a column that no question names. */
export const fieldOf = (column: ViewColumn): ColumnField | undefined => BY_COLUMN.get(column)
export const columnId = (view: ViewName, column: string): number => fieldIdOf(columnName(view, column))

export const propertyField = (property: RegisteredProperty): PropertyField => ({
  kind: "property",
  id: property.fieldId,
  property
})
