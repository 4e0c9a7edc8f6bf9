import type { QueryValue } from "../ports/QueryEngine.ts"
import { didYouMean } from "./fql/suggest.ts"
import { viewOf } from "./metadata/views.ts"
import type { PlannedQuestion } from "./resolve/query.ts"
import type { UnknownProperty, Warning } from "./resolve/SelectScope.ts"

type EngineRows = ReadonlyArray<ReadonlyArray<QueryValue>>

const FIELD_NAMES = [viewOf("v_pa_sessions"), viewOf("v_pa_events")].flatMap(({ columns }) =>
  columns.map(({ name }) => name)
)

/** Whether no row has a value of a property: the question found nothing, or grouped by it or listed it without finding any. */
const hasNoValues = ({ columns }: PlannedQuestion, { key }: UnknownProperty, rows: EngineRows): boolean => {
  const isEmpty = (indexes: ReadonlyArray<number>, row: ReadonlyArray<QueryValue>) =>
    indexes.every((index) => row[index] === null || row[index] === 0 || row[index] === 0n)
  const placesOf = (isMeant: (column: PlannedQuestion["columns"][number]) => boolean) =>
    columns.flatMap((column, index) => (isMeant(column) ? [index] : []))
  const own = placesOf(({ name, source }) => name === key && source !== "aggregation")
  const computed = placesOf(({ source }) => source === "aggregation")
  const decisive = own.length > 0 ? own : computed
  return rows.every((row) => decisive.length > 0 && isEmpty(decisive, row))
}

/**
 * Warnings about the properties and attributes that a question names, that are not registered, and that it finds no values of. A key may
 * be unregistered and exist, when it is new or its site has too many, so the values decide.
 */
export const unknownPropertyWarnings = (planned: PlannedQuestion, rows: EngineRows): ReadonlyArray<Warning> =>
  planned.unknownProperties.flatMap((property): ReadonlyArray<Warning> => {
    if (!hasNoValues(planned, property, rows)) return []
    const { event, key, of } = property
    const what = of === "session" ? "attribute" : "property"
    const missing = event === null ? `There is no ${what} \`${key}\`` : `\`${event}\` has no property \`${key}\``
    const instead = FIELD_NAMES.includes(key) ? ` There is a field \`${key}\`.` : didYouMean(key, FIELD_NAMES)
    return [{ code: "unknown-property", detail: `${missing}.${instead}`, key }]
  })
