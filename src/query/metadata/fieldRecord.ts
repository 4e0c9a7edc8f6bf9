import type { FieldStats, ShownValue } from "../../domain/FieldStats.ts"
import type { PropertyType } from "../../domain/propertyType.ts"
import type { FieldChoices, ValueSource, Visibility } from "../../ports/Metadata.ts"
import { ANY_EVENT, type RegisteredProperty, UNNAMED_EVENT } from "../../ports/Properties.ts"
import { columnTitle, displayName } from "../resolve/SelectScope.ts"
import { columnId, columnsOf, type Field, tableIdOf } from "./fieldIds.ts"
import { type Fingerprint, fingerprintOf, inferredSemanticType } from "./fingerprint.ts"
import { fieldClause, scanSource } from "./scanQuestion.ts"
import { type BaseType, findView, SEMANTIC_TYPES, type SemanticType } from "./views.ts"

/** What is shown in the place of a field's values: labels of its own, or another field of the row that it refers to. */
export type Remapping =
  | { readonly type: "internal"; readonly labels: ReadonlyArray<readonly [ShownValue, string]> }
  | { readonly type: "external"; readonly fieldId: number }

/** Everything that people see of a field. */
export interface FieldRecord {
  readonly id: number
  readonly tableId: number
  readonly name: string
  readonly displayName: string
  readonly description: string | null
  readonly type: BaseType | PropertyType
  readonly semanticType: SemanticType | null
  readonly fkTargetFieldId: number | null
  readonly visibility: Visibility
  readonly valueSource: ValueSource
  readonly fingerprint: Fingerprint | null
  readonly remapping: Remapping | null
  readonly position: number
  readonly source: "column" | "property" | "attribute"
  /** The heading that the field is listed under. */
  readonly group: string
  readonly unit: "ms" | "s" | null
  /** The clause of a question that names the field. */
  readonly clause: unknown
  /** Of a property or an attribute; null for a column. */
  readonly property: RegisteredProperty | null
}

/** What was found out about the values of a field. */
export interface KnownValues {
  readonly stats: FieldStats | null
  /** All values; null if they are unknown or too many. */
  readonly values: ReadonlyArray<ShownValue> | null
}

const isSemanticType = (name: string): name is SemanticType => SEMANTIC_TYPES.some((type) => type === name)

/** A choice of a newer version counts as none. */
const knownType = (name: string | null): SemanticType | null => (name !== null && isSemanticType(name) ? name : null)

const groupOf = ({ event, owner }: RegisteredProperty): string => {
  if (owner === "visitor") return "Visitor properties"
  if (event === ANY_EVENT) return "Properties of all events"
  return event === UNNAMED_EVENT ? "Page properties" : `${displayName(event)} properties`
}

/** The labels that the program defines, for the values that codes stand for. */
const ownRemapping = (field: Field): Remapping | null => {
  if (field.kind === "property") return null
  const { labels, references } = field.column
  if (labels !== null) return { type: "internal", labels: [...labels] }
  return references === "v_pa_sites" ? { type: "external", fieldId: columnId("v_pa_sites", "name") } : null
}

export const remappingOf = (field: Field, { labels }: FieldChoices): Remapping | null => {
  if (labels === undefined) return ownRemapping(field)
  return labels === null || labels.length === 0 ? null : { type: "internal", labels }
}

export const visibilityOf = (field: Field, choices: FieldChoices): Visibility =>
  choices.visibility ??
  (field.kind === "column" ? field.column.visibility : field.property.isHidden ? "hidden" : "normal")

const isText = (type: BaseType | PropertyType): boolean => type === "text"

const valueSourceOf = (field: Field, type: BaseType | PropertyType, { values }: KnownValues): ValueSource => {
  const labels = field.kind === "column" ? field.column.labels : null
  if (labels !== null || type === "boolean") return "list"
  if (field.kind === "column" && field.column.references === "v_pa_sites") return "list"
  if (type === "uuid" || type === "instant" || type === "date") return "none"
  if (values !== null) return "list"
  return isText(type) ? "search" : "none"
}

const semanticTypeOf = (field: Field, choices: FieldChoices, { stats }: KnownValues): SemanticType | null => {
  if (choices.semanticType !== undefined) return knownType(choices.semanticType)
  if (field.kind === "property") return knownType(field.property.semanticType)
  return field.column.semantic ?? (stats === null ? null : inferredSemanticType(stats))
}

export const fieldRecord = (field: Field, choices: FieldChoices, known: KnownValues): FieldRecord => {
  const isColumn = field.kind === "column"
  const name = isColumn ? field.column.name : field.property.key
  const type = isColumn ? field.column.type : field.property.type
  const view = scanSource(field)
  const references = isColumn ? field.column.references : null
  return {
    id: field.id,
    tableId: tableIdOf(view),
    name,
    displayName: choices.displayName ?? (isColumn ? columnTitle(name) : displayName(name)),
    description: choices.description === undefined ? (isColumn ? field.column.description : null) : choices.description,
    type,
    semanticType: semanticTypeOf(field, choices, known),
    fkTargetFieldId: references === null ? null : columnId(references, "id"),
    visibility: visibilityOf(field, choices),
    valueSource: choices.valueSource ?? valueSourceOf(field, type, known),
    fingerprint: known.stats === null ? null : fingerprintOf(known.stats),
    remapping: remappingOf(field, choices),
    position: isColumn ? field.position : columnsOf(view).length,
    source: isColumn ? "column" : field.property.owner === "event" ? "property" : "attribute",
    group: isColumn ? (findView(view)?.label ?? view) : groupOf(field.property),
    unit: isColumn ? field.column.unit : null,
    clause: isColumn ? ["field", `${view}.${name}`] : fieldClause(field),
    property: isColumn ? null : field.property
  }
}
