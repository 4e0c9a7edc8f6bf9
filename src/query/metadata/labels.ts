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

/** What each site has for a property: what was chosen for the event, otherwise for all events. Sites have fields of their own. */
const chosenFor = <A>(
  { event, key, of }: Extract<Origin, { readonly kind: "property" }>,
  sites: ReadonlyArray<string>,
  choice: (fieldId: number) => A | null | undefined
): ReadonlyArray<A> => {
  const owner = of === "event" ? "event" : "visitor"
  return sites.flatMap((siteId) => {
    const choiceFor = (name: string) => choice(propertyFieldId({ siteId, owner, event: name, key }))
    const chosen = (event === null ? null : choiceFor(event)) ?? choiceFor(ANY_EVENT)
    return chosen == null ? [] : [chosen]
  })
}

/** The first site's label of a value applies. */
const ofProperty = (
  origin: Extract<Origin, { readonly kind: "property" }>,
  sites: ReadonlyArray<NamedSite>,
  choices: Choices
): Labels | null => {
  const ids = sites.map(({ id }) => id)
  const chosen = chosenFor(origin, ids, (fieldId) => choices(fieldId).labels).flat()
  return chosen.length === 0 ? null : new Map(chosen.toReversed())
}

/** The labels of values on these sites: those that administrators chose, otherwise the program's. Null: values are shown as they are. */
export const labelsWith =
  (choices: Choices) =>
  (sites: ReadonlyArray<NamedSite>, origin: Origin): Labels | null =>
    origin.kind === "column" ? ofColumn(origin.column, sites, choices) : ofProperty(origin, sites, choices)

/** The title that administrators chose for a field on these sites; null: the program's. */
export const titlesWith =
  (choices: Choices) =>
  (sites: ReadonlyArray<string>, origin: Origin): string | null => {
    if (origin.kind === "property") {
      return chosenFor(origin, sites, (fieldId) => choices(fieldId).displayName)[0] ?? null
    }
    const field = fieldOf(origin.column)
    return field === undefined ? null : (choices(field.id).displayName ?? null)
  }
