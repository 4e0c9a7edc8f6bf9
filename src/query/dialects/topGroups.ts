import type { Expression, Select } from "../plan/plan.ts"
import { isColumn } from "../plan/rows.ts"
import { join, type Sql, sql } from "./Sql.ts"
import { needsNoSums } from "./userFlows.ts"

/*
 * Lists of the largest groups. There may be millions of groups, such as all paths, of which a list shows a few: what stands for their text is
 * looked up for those only.
 */

/** The groups that a list may show: those with one of the largest values of a column. */
export interface Top {
  /** A count, which is never null. */
  readonly alias: string
  /** How many of the largest. All groups with the least of these are needed, since the list may sort them by something else. */
  readonly count: number
}

/** The column that a column of a select passes on as it is, and the select that has it. */
const passedOn = ({ from }: Select, expression: Expression): { select: Select; expression: Expression } | null => {
  if (expression.kind !== "column" || expression.relation !== from || from.source.kind !== "select") return null
  const { select } = from.source
  const found = select.columns.find(({ alias }) => alias === expression.column)
  return found === undefined ? null : { select, expression: found.expression }
}

const isPlain = ({ isDistinct, joins, limit, offset, orderBy }: Select): boolean =>
  !isDistinct && joins.length === 0 && limit === null && offset === 0 && orderBy.length === 0

/** Whether a condition holds for every row in which a number is more than 0. Others may keep none of the largest groups. */
const keepsMore = (condition: Expression, number: Expression): boolean => {
  if (condition.kind !== "call") return false
  if (condition.name === "or") return condition.args.some((one) => keepsMore(one, number))
  const [of, least] = condition.args
  const isNumber = number.kind === "column" && isColumn(of!, number.relation, number.column)
  return condition.name === "gt" && isNumber && least?.kind === "value" && least.value === 0
}

/** Whether a select has one row for each row of what it reads, apart from some in which a number is 0. */
const isOfAll = (select: Select, number: Expression): boolean =>
  select.groupBy === null &&
  !select.isDistinct &&
  select.joins.length === 0 &&
  select.where.every((one) => keepsMore(one, number)) &&
  select.columns.every(({ expression }) => isOfRow(expression))

/** Whether each column comes from the same row. */
const isOfRow = (expression: Expression): boolean =>
  expression.kind === "column" ||
  expression.kind === "value" ||
  expression.kind === "null" ||
  (expression.kind === "call" && expression.args.every(isOfRow))

/** Whether an aggregate counts, and so is never null. */
const isCount = ({ name }: Expression & { readonly kind: "aggregate" }, select: Select): boolean =>
  name === "count" || name === "distinct" || (name === "sum" && needsNoSums(select))

/** The grouped select below a list that shows its largest groups, and which these are; null if it is not such a list. */
export const topGroups = (list: Select): { readonly groups: Select; readonly top: Top } | null => {
  const [first] = list.orderBy
  if (list.limit === null || first === undefined || !first.descending || !isOfAll(list, first.expression)) return null
  let found = passedOn(list, first.expression)
  while (found !== null && found.select.groupBy === null) {
    const { expression, select } = found
    if (!isPlain(select) || !isOfAll(select, expression)) return null
    found = passedOn(select, expression)
  }
  if (found === null) return null
  const { expression, select } = found
  if (!isPlain({ ...select, joins: [] }) || expression.kind !== "aggregate" || !isCount(expression, select)) return null
  const { alias } = select.columns.find((column) => column.expression === expression)!
  return { groups: select, top: { alias, count: list.limit + list.offset } }
}

/** Whether all that a grouped select computes is the number of rows. */
export const countsRows = (select: Select): boolean =>
  select.columns
    .slice(select.groupBy ?? 0)
    .every(
      ({ expression }) =>
        expression.kind === "aggregate" &&
        ((expression.name === "count" && expression.of === null && expression.where === null) ||
          (expression.name === "sum" && needsNoSums(select)))
    )

/** Longer lists may need rows of most parts. */
export const MAX_LISTED = 500
/** Rows are counted in so many parts first. */
const PARTS = 1 << 16

/**
 * Defines `grouped` as the groups of rows by several numbers, with the count of each, of which only those are complete that may be among the
 * largest. There can be millions of groups, most of them of a few rows. So the rows are first counted in parts, by a hash of their numbers. A group
 * is not larger than its part. The groups of the largest parts show how large a listed group is at least; those of smaller parts are left out.
 * `aliases`: those of the keys, then those of the counts; `keys`: the keys as they are selected; `from`: the clauses FROM and WHERE.
 */
export const largestPairs = (aliases: ReadonlyArray<string>, keys: ReadonlyArray<Sql>, from: Sql, top: Top): Sql => {
  const names = aliases.slice(0, keys.length)
  const counts = aliases.slice(keys.length).map((alias) => `count(*) AS ${alias}`)
  const counted = (parts: string) =>
    `SELECT ${[...names, ...counts].join(", ")} FROM numbered WHERE part IN (${parts}) GROUP BY ${names.join(", ")}`
  const count = String(top.count)
  return sql`numbered AS MATERIALIZED (SELECT *, CAST(hash(${names.join(", ")}) % ${String(PARTS)} AS INTEGER) AS part FROM (SELECT ${join(keys, ", ")} ${from})),
part AS MATERIALIZED (SELECT part, count(*) AS size FROM numbered GROUP BY part),
candidate AS MATERIALIZED (${counted(`SELECT part FROM part ORDER BY size DESC LIMIT ${String(2 * top.count)}`)}),
least AS MATERIALIZED (SELECT CASE WHEN count(*) = ${count} THEN min(${top.alias}) ELSE 0 END AS size FROM (SELECT ${top.alias} FROM candidate ORDER BY ${top.alias} DESC LIMIT ${count})),
grouped AS MATERIALIZED (${counted("SELECT part FROM part WHERE size >= (SELECT size FROM least)")})`
}
