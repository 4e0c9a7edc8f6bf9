import {
  call,
  columnOf,
  type Expression,
  type OutputColumn,
  type Relation,
  type Select,
  type Source,
  typeOf,
  value
} from "../plan/plan.ts"
import type { Grouping, Leaf } from "./aggregations.ts"
import type { Dimension } from "./dimensions.ts"
import { isView, secondsBetween, VISIT } from "./metrics.ts"
import type { Rows } from "./query.ts"

/** The rows of one part, with what they are grouped by among them. */
interface PartRows {
  readonly rows: Rows
  readonly breakouts: ReadonlyArray<Dimension>
  readonly page: Dimension | null
}

/** The groups of a question as a relation with the columns `b0` …, `a0` …. */
export const groupedSelect = (grouping: Grouping, rows: Rows, again: () => PartRows): Source => {
  const ofVisits = grouping.leaves.filter(({ part }) => part === "visits")
  const ofRows = grouping.leaves.filter(({ part }) => part === "rows")
  if (ofVisits.length === 0) return { kind: "select", select: rowsPart(grouping, rows, ofRows) }
  const other = again()
  const visits = visitsPart(other, ofVisits, ofRows.length > 0)
  if (ofRows.length === 0) return { kind: "select", select: visits }
  return { kind: "select", select: merged(grouping, [rowsPart(grouping, rows, ofRows), visits]) }
}

const breakoutAliases = (breakouts: ReadonlyArray<Dimension>): ReadonlyArray<OutputColumn> =>
  breakouts.map(({ expression }, index) => ({ alias: `b${index}`, expression }))

const base = { isDistinct: false, orderBy: [], limit: null, offset: 0 } as const

const rowsPart = (grouping: Grouping, { scope, where }: Rows, leaves: ReadonlyArray<Leaf>): Select => ({
  ...base,
  from: scope.from,
  joins: scope.joins,
  where,
  columns: [
    ...breakoutAliases(grouping.breakouts),
    ...leaves.map((leaf) => ({ alias: leaf.alias, expression: leaf.make(scope, null) }))
  ],
  groupBy: grouping.breakouts.length
})

/**
 * Each visit once in each group that one of its rows is in. `mayLackGroups`: groups in which nothing is counted may be left out, since
 * another part has them.
 */
const visitsPart = (part: PartRows, leaves: ReadonlyArray<Leaf>, mayLackGroups: boolean): Select => {
  const { breakouts, rows } = part
  const { build } = rows.scope
  const distinct: { alias: string; source: Source } = { alias: build.alias(), source: { kind: "union", selects: [] } }
  const columns = leaves.map((leaf) => ({ alias: leaf.alias, expression: leaf.make(rows.scope, distinct) }))
  const used = new Set(columns.flatMap(({ expression }) => columnsUsed(expression, distinct)))
  const isOfEnds =
    mayLackGroups &&
    part.page !== null &&
    breakouts.length > 0 &&
    columns.every(({ expression }) => expression.kind === "aggregate" && expression.where !== null)
  const select = build.compat === "umami" ? storedVisits(part, used) : strictVisits(part, used, isOfEnds)
  distinct.source = { kind: "select", select }
  return {
    ...base,
    from: distinct,
    joins: [],
    where: [],
    columns: [
      ...breakouts.map(({ expression }, index) => ({
        alias: `b${index}`,
        expression: columnOf(distinct, `b${index}`, typeOf(expression))
      })),
      ...columns
    ],
    groupBy: breakouts.length
  }
}

const boolean = (name: Parameters<typeof call>[0], ...args: ReadonlyArray<Expression>) => call(name, "boolean", ...args)

/** Whether the visit began or ended in the group: on the group's page if groups are pages. */
const endFlag = (page: Dimension | null, visits: Relation, end: "entry_path" | "exit_path"): Expression => {
  const path = columnOf(visits, end, "text")
  return page === null ? boolean("not", boolean("is-null", path)) : boolean("not-distinct", path, page.expression)
}

/** The flags of a visit's ends that are used. Of several pages as one group, a visit has each if it has it on one of them. */
const endFlags = (
  { breakouts, page, rows: { scope } }: PartRows,
  used: ReadonlySet<string>
): { readonly keys: ReadonlyArray<OutputColumn>; readonly values: ReadonlyArray<OutputColumn> } => {
  const flags = (
    [
      ["entry", "entry_path"],
      ["exit", "exit_path"]
    ] as const
  ).flatMap(([flag, end]) =>
    used.has(VISIT[flag]) ? [{ alias: VISIT[flag], expression: endFlag(page, scope.visits(), end) }] : []
  )
  if (page === null || breakouts.length > 0) return { keys: flags, values: [] }
  const matching = (where: Expression): Expression => ({
    kind: "aggregate",
    name: "count",
    of: null,
    where,
    type: "integer"
  })
  return {
    keys: [],
    values: flags.map(({ alias, expression }) => ({
      alias,
      expression: boolean("gt", matching(expression), value("integer", 0))
    }))
  }
}

/** The visits of the rows, computed on the whole visit. `isOfEnds`: only their rows on the pages where they began or ended count. */
const strictVisits = (part: PartRows, used: ReadonlySet<string>, isOfEnds: boolean): Select => {
  const {
    breakouts,
    rows: { scope, where }
  } = part
  const visits = scope.visits()
  const isPart = boolean("not", { kind: "in", of: columnOf(scope.from, "event_type", "integer"), values: [5] })
  const started = columnOf(visits, "started_at", "instant")
  const optional: ReadonlyArray<readonly [string, () => Expression]> = [
    [VISIT.bounce, () => columnOf(visits, "is_bounce", "boolean")],
    [VISIT.duration, () => columnOf(visits, "duration_s", "integer")]
  ]
  const flags = endFlags(part, used)
  const keys = [
    ...breakoutAliases(breakouts),
    { alias: "session", expression: columnOf(visits, "session_id", "uuid"), isIdentity: true },
    { alias: "started", expression: started },
    ...optional.flatMap(([alias, make]) => (used.has(alias) ? [{ alias, expression: make() }] : [])),
    ...flags.keys
  ]
  return {
    ...base,
    from: scope.from,
    joins: scope.joins,
    where: [
      ...where,
      isPart,
      boolean("not", boolean("is-null", started)),
      ...(isOfEnds ? [boolean("or", ...flags.keys.map(({ expression }) => expression))] : [])
    ],
    columns: [...keys, ...flags.values],
    groupBy: flags.values.length === 0 ? null : keys.length,
    isDistinct: flags.values.length === 0
  }
}

/** Umami's visits: the views of each group that share a visit id. One view is a bounce; time is from the first to the last of them. */
const storedVisits = (part: PartRows, used: ReadonlySet<string>): Select => {
  const {
    breakouts,
    rows: { scope, where }
  } = part
  const own = (name: string) => columnOf(scope.from, name, "uuid")
  const time = (name: "min" | "max"): Expression => ({
    kind: "aggregate",
    name,
    of: columnOf(scope.from, "created_at", "instant"),
    where: null,
    type: "instant"
  })
  const views: Expression = { kind: "aggregate", name: "count", of: null, where: null, type: "integer" }
  const flags = endFlags(part, used)
  const keys = [
    ...breakoutAliases(breakouts),
    { alias: "session", expression: own("session_id"), isIdentity: true },
    { alias: VISIT.id, expression: own("visit_id") },
    ...flags.keys
  ]
  return {
    ...base,
    from: scope.from,
    joins: scope.joins,
    where: [...where, isView(scope)],
    columns: [
      ...keys,
      { alias: VISIT.bounce, expression: boolean("eq", views, value("integer", 1)) },
      { alias: VISIT.duration, expression: secondsBetween(time("min"), time("max")) },
      ...flags.values
    ],
    groupBy: keys.length
  }
}

/** The names of a relation's columns in an expression. */
const columnsUsed = (expression: Expression, relation: Relation): ReadonlyArray<string> => {
  switch (expression.kind) {
    case "column":
      return expression.relation === relation ? [expression.column] : []
    case "call":
      return expression.args.flatMap((one) => columnsUsed(one, relation))
    case "aggregate":
      return [expression.of, expression.where].flatMap((one) => (one === null ? [] : columnsUsed(one, relation)))
    case "in":
      return columnsUsed(expression.of, relation)
    default:
      return []
  }
}

/** Parts that are grouped alike as one: each has the values of some columns. */
const merged = (grouping: Grouping, parts: ReadonlyArray<Select>): Select => {
  const { build } = grouping.rows
  const width = grouping.breakouts.length
  const selects = parts.map((select): Select => {
    const relation: Relation = { alias: build.alias(), source: { kind: "select", select } }
    const has = new Set(select.columns.map(({ alias }) => alias))
    const columns = [
      ...grouping.breakouts.map(({ expression }, index) => ({
        alias: `b${index}`,
        expression: columnOf(relation, `b${index}`, typeOf(expression))
      })),
      ...grouping.leaves.map(
        ({ alias, type }): OutputColumn => ({
          alias,
          expression: has.has(alias) ? columnOf(relation, alias, type) : { kind: "null", type }
        })
      )
    ]
    return { ...base, from: relation, joins: [], where: [], columns, groupBy: null }
  })
  const all: Relation = { alias: build.alias(), source: { kind: "union", selects } }
  const best = (alias: string, type: Leaf["type"]): Expression => ({
    kind: "aggregate",
    name: "max",
    of: columnOf(all, alias, type),
    where: null,
    type
  })
  return {
    ...base,
    from: all,
    joins: [],
    where: [],
    columns: [
      ...grouping.breakouts.map(({ expression }, index) => ({
        alias: `b${index}`,
        expression: columnOf(all, `b${index}`, typeOf(expression))
      })),
      // A visit counts only in groups that have rows, so a group without the other part's values has none.
      ...grouping.leaves.map(({ alias, part, type }) => ({
        alias,
        expression:
          part === "visits" ? call("coalesce", type, best(alias, type), value("integer", 0)) : best(alias, type)
      }))
    ],
    groupBy: width
  }
}
