import { PREDECESSOR_BUCKET_SECONDS } from "../../domain/Event.ts"
import { REPEATED, type Repeated } from "../../domain/repeatedVisits.ts"
import { call, columnOf, type Expression, type Select, value } from "../plan/plan.ts"
import { isColumn, isDistinctVisitors, isVisitorsRelation, onlyType, valuesOf, withColumns } from "../plan/rows.ts"
import { FIRST_OF_HOUR, firstOf } from "./visitRows.ts"

/*
 * Visitors without a DISTINCT, for engines that keep predecessors: among rows that differ only in what is the same for all of a visitor,
 * a visitor is counted by the row whose predecessor is not among them.
 */

const or = (...args: ReadonlyArray<Expression>) => call("or", "boolean", ...args)
const and = (...args: ReadonlyArray<Expression>) => call("and", "boolean", ...args)

/** Whether an expression has the same value for all rows of a visitor. `isOwn`: which columns of the source have. */
const isOfVisitor = (expression: Expression, isOwn: (expression: Expression) => boolean): boolean => {
  const are = (...all: ReadonlyArray<Expression>): boolean => all.every((one) => isOfVisitor(one, isOwn))
  if (isOwn(expression)) return true
  switch (expression.kind) {
    case "value":
    case "null":
      return true
    case "column":
      return isVisitorsRelation(expression.relation)
    case "call":
      return are(...expression.args)
    case "in":
    case "local":
    case "truncate":
    case "extract":
    case "among":
      return are(expression.of)
    case "instant":
      return are(expression.of, expression.near)
    default:
      return false
  }
}

/** The condition on which a row counts as its visitor's first, in addition to another; null if there is none. */
type First = (where: Expression | null) => Expression | null

/** Rows that count if `isFirst` holds, for conditions that are the same for all of a visitor's rows by `isOwn`. */
const countedBy =
  (isOwn: (expression: Expression) => boolean, isFirst: () => Expression): First =>
  (condition) => {
    if (condition === null) return isFirst()
    return isOfVisitor(condition, isOwn) ? and(condition, isFirst()) : null
  }

/** A visitor's first visit in the range, of its kind and in its unit of time if visits are grouped by these. */
const firstVisit = (select: Select): First | null => {
  const { columns, from, groupBy, where } = select
  const { source } = from
  if (source.kind !== "visits" || source.compat !== "strict") return null
  const { presence, scope } = source
  const keys = columns.slice(0, groupBy ?? 0).map(({ expression }) => expression)
  const present = presence === null ? null : columnOf(from, "present_at", "instant")
  const unit = present === null ? null : (keys.find((key) => isUnitOf(key, present)) ?? null)
  // Without a group by its unit, a visit may be there several times.
  if (present !== null && unit === null) return firstOfHour(select)
  const isOfAll = (name: Repeated) =>
    keys.some((key) => isColumn(key, from, name)) || where.some((one) => valuesOf(one, from, name)?.length === 1)
  const isOwn = (expression: Expression, ...names: ReadonlyArray<string>) =>
    isColumn(expression, from, "session_id", "site_id", ...names) || (unit !== null && isSame(expression, unit))
  const rest = [...keys, ...where]
  const isWithin = (...names: ReadonlyArray<string>) =>
    rest.every((one) => isOfVisitor(one, (expression) => isOwn(expression, ...names)))
  if (isWithin()) {
    return countedBy(isOwn, () => {
      const before = columnOf(from, "prev_ended_at", "instant")
      const isFirst = [call("is-null", "boolean", before)]
      if (scope.range.from !== null) isFirst.push(call("lt", "boolean", before, value("instant", scope.range.from)))
      if (present !== null) {
        const beforeUnit = withColumns(unit!, (column) => (isSame(column, present) ? before : column))
        isFirst.push(call("not", "boolean", call("eq", "boolean", beforeUnit, unit!)))
      }
      return or(...isFirst)
    })
  }
  const kind = REPEATED.find((name) => isOfAll(name) && isWithin(name))
  if (kind === undefined) return null
  return countedBy(
    (expression) => isOwn(expression, kind),
    () => columnOf(from, firstOf(kind), "boolean")
  )
}

const PARTS_OF_WEEK = ["day-of-week", "hour-of-day"]

/** A visitor's first visit in an hour of the week, if visits are grouped by these and only visitors are counted. */
const firstOfHour = ({ columns, from, groupBy, where }: Select): First | null => {
  const { source } = from
  if (source.kind !== "visits" || source.presence?.unit !== "hour" || source.part !== null) return null
  // Where clocks change within the range, or differ from UTC by half an hour, hours of the week are others than those in UTC.
  const { offsets } = source.presence
  if (offsets.length > 1 || offsets[0]!.seconds % 3_600 !== 0) return null
  const keys = columns.slice(0, groupBy ?? 0).map(({ expression }) => expression)
  const partOf = (one: Expression): string | null =>
    one.kind === "extract" && one.of.kind === "local" && isColumn(one.of.of, from, "present_at") ? one.unit : null
  const parts = keys.map(partOf)
  if (!PARTS_OF_WEEK.every((part) => parts.includes(part))) return null
  if (!columns.slice(groupBy ?? 0).every(({ expression }) => isDistinctVisitors(expression, from))) return null
  const isOwn = (one: Expression) =>
    isColumn(one, from, "session_id", "site_id") || PARTS_OF_WEEK.includes(partOf(one) ?? "")
  if (![...keys, ...where].every((one) => isOfVisitor(one, isOwn))) return null
  return countedBy(isOwn, () => columnOf(from, FIRST_OF_HOUR, "boolean"))
}

/** Whether an expression is the unit that a time lies in: two times with a third between them have it only if the third has. */
const isUnitOf = (expression: Expression, time: Expression): boolean => {
  switch (expression.kind) {
    case "instant":
      return isUnitOf(expression.of, time)
    case "truncate":
      return expression.of.kind === "local" && isSame(expression.of.of, time)
    default:
      return false
  }
}

/** Whether two expressions are the same column, or the same unit of it. */
const isSame = (one: Expression, other: Expression): boolean => {
  if (one.kind === "column" && other.kind === "column") {
    return one.relation === other.relation && one.column === other.column
  }
  if (one.kind === "truncate" && other.kind === "truncate") {
    return one.unit === other.unit && one.weekStart === other.weekStart && isSame(one.of, other.of)
  }
  if (one.kind === "instant" && other.kind === "instant")
    return isSame(one.of, other.of) && isSame(one.near, other.near)
  if (one.kind !== "local" || other.kind !== "local" || !isSame(one.of, other.of)) return false
  return JSON.stringify(one.offsets) === JSON.stringify(other.offsets)
}

/** A visitor's first event in the range of its type and path, or name. */
const firstEvent = ({ columns, from, groupBy, where }: Select): First | null => {
  const { source } = from
  if (source.kind !== "view" || source.view !== "v_pa_events") return null
  const type = onlyType(where, from)
  if (type === null || type === 5) return null
  const name = type === 2 ? "event_name" : "url_path"
  const isOwn = (expression: Expression) => isColumn(expression, from, "session_id", "site_id", "event_type", name)
  const keys = columns.slice(0, groupBy ?? 0).map(({ expression }) => expression)
  // Rows of different paths are not each other's predecessors.
  const isOfOne =
    keys.some((key) => isColumn(key, from, name)) || where.some((one) => valuesOf(one, from, name)?.length === 1)
  if (!isOfOne || ![...keys, ...where].every((one) => isOfVisitor(one, isOwn))) return null
  const start = source.scope.range.from
  const micros = start === null ? null : Temporal.Instant.from(start).epochNanoseconds / 1_000n
  const width = BigInt(PREDECESSOR_BUCKET_SECONDS) * 1_000_000n
  // A bucket that the range cuts may hold rows before it and in it.
  if (micros !== null && (micros < 0n || micros % width !== 0n)) return null
  return countedBy(isOwn, () =>
    micros === null
      ? call("is-null", "boolean", columnOf(from, "prev_same", "integer"))
      : // One comparison: also asking for nulls takes a fifth of the time of a list of pages.
        call("lt", "boolean", columnOf(from, "prev_same_or_none", "integer"), value("integer", Number(micros / width)))
  )
}

/** The same select, whose visitors are counted by their first rows where that is possible. */
export const countFirsts = (select: Select): Select => {
  const { columns, from, joins } = select
  if (!columns.some(({ expression }) => isDistinctVisitors(expression, from))) return select
  // A join may multiply or remove rows, unless it finds what belongs to a visitor.
  if (!joins.every(({ kind, relation }) => kind === "left" && isVisitorsRelation(relation))) return select
  const first = firstVisit(select) ?? firstEvent(select)
  if (first === null) return select
  const counted = columns.map((column) => {
    const { expression } = column
    if (!isDistinctVisitors(expression, from)) return column
    const where = first(expression.where)
    return where === null
      ? column
      : { ...column, expression: { ...expression, name: "count" as const, of: null, where } }
  })
  return onlyFirsts({ ...select, columns: counted })
}

/** Each group has a first row, so if nothing else is counted, the others need not be read: that spares joins most rows. */
const onlyFirsts = (select: Select): Select => {
  const { columns, groupBy, where } = select
  const [one, ...others] = columns.slice(groupBy ?? 0)
  if (one === undefined || others.length > 0) return select
  const { expression } = one
  if (expression.kind !== "aggregate" || expression.name !== "count" || expression.where === null) return select
  const isFirst = expression.where
  const isOnlyThat =
    isFirst.kind === "column" || (isFirst.kind === "call" && ["or", "is-null", "lt"].includes(isFirst.name))
  if (!isOnlyThat) return select
  return {
    ...select,
    columns: [...columns.slice(0, groupBy ?? 0), { ...one, expression: { ...expression, where: null } }],
    where: [...where, isFirst]
  }
}
