import type { PropertyType } from "../../domain/propertyType.ts"
import { call, columnOf, type Expression, type Relation, type Select, selectFrom, value } from "../plan/plan.ts"
import { propertyValue } from "./propertyValue.ts"
import type { SelectScope } from "./SelectScope.ts"

/** A property, or an attribute of the visitor, that is read as a declared type. */
export interface DeclaredProperty {
  readonly of: "event" | "session"
  readonly key: string
  /** Null: of any event. */
  readonly event: string | null
  readonly type: PropertyType
}

/** A declared property, and a select with one column: how many of its values in the question's range are not of its type. */
export interface Cast extends DeclaredProperty {
  readonly count: Select
}

const COUNT: Expression = { kind: "aggregate", name: "count", of: null, where: null, type: "integer" }

/** Notes that a question reads a property as a declared type, which some values may not be of. Text is whatever there is. */
export const noteCast = (scope: SelectScope, declared: DeclaredProperty): void => {
  const { build } = scope
  const { event, key, of, type } = declared
  const rows = of === "event" ? scope.rows : { ...scope.rows, range: { from: null, until: null } }
  const id = JSON.stringify([of, key, event, type, rows])
  if (type === "text" || build.casts.has(id)) return
  const property: Relation = { alias: build.alias(), source: { kind: "property", of, key, scope: rows } }
  const isUncastable = [
    call("not", "boolean", call("is-null", "boolean", columnOf(property, "string_value", "text"))),
    call("is-null", "boolean", propertyValue(property, type))
  ]
  if (event === null) {
    const count = { ...selectFrom(property, [COUNT]), where: isUncastable, groupBy: 0 }
    build.casts.set(id, { ...declared, count })
    return
  }
  const events: Relation = {
    alias: build.alias(),
    source: { kind: "view", view: "v_pa_events", scope: rows, used: new Set() }
  }
  const same = (name: string, own: string, type: "uuid" | "instant") =>
    call("eq", "boolean", columnOf(property, name, type), columnOf(events, own, type))
  const on = [same("event_id", "id", "uuid"), same("created_at", "created_at", "instant")]
  const isOfEvent = call("eq", "boolean", columnOf(events, "event_name", "text"), value("text", event))
  const count: Select = {
    ...selectFrom(events, [COUNT]),
    joins: [{ kind: "inner", relation: property, on }],
    where: [isOfEvent, ...isUncastable],
    groupBy: 0
  }
  build.casts.set(id, { ...declared, count })
}

/** One select for the counts of all casts, as rows of a cast's place and its count. */
export const countCasts = (casts: ReadonlyArray<Cast>): Select => {
  const selects = casts.map(({ count }, place): Select => {
    const counted: Relation = { alias: "counted", source: { kind: "select", select: count } }
    return selectFrom(counted, [value("integer", place), columnOf(counted, "c0", "integer")])
  })
  const from: Relation = { alias: "counts", source: { kind: "union", selects } }
  return selectFrom(from, [columnOf(from, "c0", "integer"), columnOf(from, "c1", "integer")])
}
