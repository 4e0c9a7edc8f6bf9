import type { ShownValue } from "../../domain/FieldStats.ts"
import { propertyFieldId } from "../../domain/fieldId.ts"
import type { FieldChoices } from "../../ports/Metadata.ts"
import { ANY_EVENT } from "../../ports/Properties.ts"
import { fieldOf } from "./fieldIds.ts"
import { remappingOf } from "./fieldRecord.ts"
import type { ViewColumn } from "./views.ts"

/** What is shown in the place of values. */
export type Labels = ReadonlyMap<ShownValue, string>

/** What a value is: a view's column, or a property of an event or a visitor. */
export type Origin =
  | { readonly kind: "column"; readonly column: ViewColumn }
  | {
      readonly kind: "property"
      readonly of: "event" | "session"
      /** Null: of any event. */
      readonly event: string | null
      readonly key: string
    }

interface NamedSite {
  readonly id: string
  readonly name: string
}

type Choices = (fieldId: number) => FieldChoices

const ofColumn = (column: ViewColumn, sites: ReadonlyArray<NamedSite>, choices: Choices): Labels | null => {
  const field = fieldOf(column)
  const remapping = field === undefined ? null : remappingOf(field, choices(field.id))
  if (remapping === null) return null
  return remapping.type === "internal" ? new Map(remapping.labels) : new Map(sites.map(({ id, name }) => [id, name]))
}

/** Those chosen for the event, otherwise those for all events. Sites have fields of their own; the first one's labels apply. */
const ofProperty = (
  { event, key, of }: Extract<Origin, { readonly kind: "property" }>,
  sites: ReadonlyArray<NamedSite>,
  choices: Choices
): Labels | null => {
  const owner = of === "event" ? "event" : "visitor"
  const chosen = sites.flatMap(({ id }) => {
    const choiceFor = (name: string) => choices(propertyFieldId({ siteId: id, owner, event: name, key })).labels
    return (event === null ? undefined : choiceFor(event)) ?? choiceFor(ANY_EVENT) ?? []
  })
  return chosen.length === 0 ? null : new Map(chosen.toReversed())
}

/** The labels of values on these sites: those that administrators chose, otherwise the program's. Null: values are shown as they are. */
export const labelsWith =
  (choices: Choices) =>
  (sites: ReadonlyArray<NamedSite>, origin: Origin): Labels | null =>
    origin.kind === "column" ? ofColumn(origin.column, sites, choices) : ofProperty(origin, sites, choices)
