import type { TableRecord } from "../metadata/Catalog.ts"
import { tableIdOf } from "../metadata/fieldIds.ts"
import type { FieldRecord } from "../metadata/fieldRecord.ts"
import type { View, ViewName } from "../metadata/views.ts"
import type { Subject } from "./Subject.ts"
import { type Template, templatesFor } from "./templates.ts"

/** A link to another x-ray. */
export interface RelatedXray {
  /** Below `/api/automagic-dashboards/`. */
  readonly url: string
  readonly title: string
  readonly description: string | null
}

export interface Related {
  readonly "zoom-in": ReadonlyArray<RelatedXray>
  readonly "zoom-out": ReadonlyArray<RelatedXray>
  readonly other: ReadonlyArray<RelatedXray>
}

/** Fields, and values of one field, that are linked. */
const LINKED_FIELDS = 5
const LINKED_VALUES = 3
/** The views that have an x-ray of their own worth a link. */
const MAIN_VIEWS: ReadonlyArray<ViewName> = ["v_pa_events", "v_pa_sessions", "v_pa_visits"]

/** The address of an x-ray, with the site that it is about. */
export const xrayUrl = (path: string, site: string | null, query: Readonly<Record<string, string>> = {}): string => {
  const search = new URLSearchParams({ ...query, ...(site !== null && { site }) }).toString()
  return search === "" ? path : `${path}?${search}`
}

const tableUrl = (view: ViewName): string => `table/${tableIdOf(view)}`

export interface RelatedContext {
  readonly tables: ReadonlyArray<TableRecord>
  readonly site: string | null
}

const nameOf = ({ tables }: RelatedContext, view: ViewName): string =>
  tables.find((table) => table.view.name === view)?.displayName ?? view

const viewLink = (context: RelatedContext, view: ViewName): RelatedXray => ({
  url: xrayUrl(tableUrl(view), context.site),
  title: `A look at your ${nameOf(context, view)}`,
  description: context.tables.find((table) => table.view.name === view)?.description ?? null
})

/** The most frequent values of the column that a template is about. */
export const frequentValues = (tables: ReadonlyArray<TableRecord>, of: Template["of"]): ReadonlyArray<string> => {
  const table = of === null ? undefined : tables.find(({ view }) => view.name === of.view)
  const field = table?.fields.find(({ name, property }) => property === null && name === of?.column)
  return (field?.fingerprint?.top ?? []).flatMap(({ value }) => (typeof value === "string" ? [value] : []))
}

const templateLinks = (context: RelatedContext, template: Template): ReadonlyArray<RelatedXray> => {
  const path = `${tableUrl(template.view!)}/rule/${template.name}`
  const { description } = template
  if (template.of === null) {
    return [
      { url: xrayUrl(path, context.site), title: template.title(nameOf(context, template.view!), ""), description }
    ]
  }
  return frequentValues(context.tables, template.of)
    .slice(0, LINKED_VALUES)
    .map((value) => ({ url: xrayUrl(path, context.site, { value }), title: template.title("", value), description }))
}

export const fieldUrl = (field: FieldRecord): string => `field/${field.id}`

const fieldLinks = ({ site }: RelatedContext, { dimensions, time }: Subject): ReadonlyArray<RelatedXray> =>
  dimensions
    .filter(({ field }) => field.name !== time?.[1])
    .slice(0, LINKED_FIELDS)
    .map(({ field, title }) => ({
      url: xrayUrl(fieldUrl(field), site),
      title: `A look at ${title}`,
      description: field.description
    }))

/** The x-rays that the x-ray of a view leads to: its other kinds, its fields, and the other views. */
export const relatedToView = (context: RelatedContext, subject: Subject, template: Template | null): Related => {
  const { name } = subject.view
  const kinds = templatesFor(subject.view)
  const links = kinds.filter((one) => one !== template).flatMap((one) => templateLinks(context, one))
  return {
    "zoom-in": [...(isDefault(subject.view, template) ? links : []), ...fieldLinks(context, subject)],
    "zoom-out": isDefault(subject.view, template) ? [] : [viewLink(context, name)],
    other: [
      ...(isDefault(subject.view, template) ? [] : links),
      ...MAIN_VIEWS.filter((view) => view !== name).map((view) => viewLink(context, view))
    ]
  }
}

/** A view's own x-ray leads into its details; from these, the way is back out. */
const isDefault = (view: View, template: Template | null): boolean =>
  template !== null && !templatesFor(view).includes(template)

/** The x-rays next to that of a field: its view's, and those of other fields. */
export const relatedToField = (context: RelatedContext, subject: Subject, field: FieldRecord): Related => ({
  "zoom-in": [],
  "zoom-out": [viewLink(context, subject.view.name)],
  other: fieldLinks(context, {
    ...subject,
    dimensions: subject.dimensions.filter((dimension) => dimension.field.id !== field.id)
  })
})
