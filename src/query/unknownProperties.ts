import type { QueryRows } from "../ports/QueryEngine.ts"
import { didYouMean } from "./fql/suggest.ts"
import { viewOf } from "./metadata/views.ts"
import { foundNothing, hasNothing } from "./nothing.ts"
import type { PlannedColumn, PlannedQuestion } from "./resolve/query.ts"
import type { UnknownProperty, Warning } from "./resolve/SelectScope.ts"

const FIELD_NAMES = [viewOf("v_pa_sessions"), viewOf("v_pa_events")].flatMap(({ columns }) =>
  columns.map(({ name }) => name)
)

/** Whether a column has the values of a property. */
const isOf =
  ({ event, key, of }: UnknownProperty) =>
  ({ fieldRef, source }: PlannedColumn): boolean => {
    if (source === "aggregation" || !Array.isArray(fieldRef)) return false
    const [kind, name, options] = fieldRef
    return kind === (of === "event" ? "prop" : "attr") && name === key && (options?.event ?? null) === event
  }

/** Whether no row has a value of a property: the question grouped by it or listed it without finding any, or found nothing at all. */
const hasNoValues = (planned: PlannedQuestion, property: UnknownProperty, rows: QueryRows): boolean =>
  planned.columns.some(isOf(property)) ? hasNothing(planned, rows, isOf(property)) : foundNothing(planned, rows)

/**
 * Warnings about the properties and attributes that a question names, that are not registered, and that it finds no values of. A key may
 * be unregistered and exist, when it is new or its site has too many, so the values decide.
 */
export const unknownPropertyWarnings = (planned: PlannedQuestion, rows: QueryRows): ReadonlyArray<Warning> =>
  planned.unknownProperties.flatMap((property): ReadonlyArray<Warning> => {
    if (!hasNoValues(planned, property, rows)) return []
    const { event, key, known, of } = property
    const what = of === "session" ? "attribute" : "property"
    const missing = event === null ? `There is no ${what} \`${key}\`` : `\`${event}\` has no property \`${key}\``
    const instead = FIELD_NAMES.includes(key)
      ? ` There is a field \`${key}\`.`
      : didYouMean(key, [...known, ...FIELD_NAMES])
    return [{ code: "unknown-property", detail: `${missing}.${instead}`, key }]
  })
