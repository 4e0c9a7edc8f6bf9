import { EventType } from "../../domain/Event.ts"
import {
  type Aggregate,
  call,
  columnOf,
  type Expression,
  type OutputColumn,
  type Relation,
  type Select,
  type Source,
  selectFrom,
  typeOf,
  value
} from "../plan/plan.ts"
import {
  columnsUsed,
  holdsFor,
  isColumn,
  isDistinctVisitors,
  isOfFew,
  isVisitorsRelation,
  valuesOf,
  withColumns
} from "../plan/rows.ts"
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
  const { compat, keepsVisits } = rows.scope.build
  if (ofVisits.length === 0) {
    const select = rowsPart(grouping, rows, ofRows)
    const faster = compat === "strict" && keepsVisits ? byGoals(select, again) : null
    return { kind: "select", select: faster ?? select }
  }
  const direct = compat === "strict" ? directVisits(again()) : null
  if (direct !== null && keepsVisits) {
    return { kind: "select", select: byVisits(grouping, rows, { direct, ofVisits, ofRows }) }
  }
  const visits = visitsPart(again, ofVisits, ofRows.length > 0)
  if (ofRows.length === 0) return { kind: "select", select: visits }
  const part = rowsPart(grouping, rows, ofRows)
  const counted = direct === null ? null : whatCounts(grouping, part)
  return {
    kind: "select",
    select: merged(grouping, [counted === null ? part : onlyRows(part, [...counted, isOfVisit(rows.scope)]), visits])
  }
}

/** The conditions on which something of a group counts; null if every row counts. */
const whatCounts = ({ breakouts }: Grouping, { columns }: Select): ReadonlyArray<Expression> | null => {
  const leaves = columns.slice(breakouts.length)
  const conditions = leaves.flatMap(({ expression }) =>
    expression.kind === "aggregate" && expression.where !== null ? [expression.where] : []
  )
  return conditions.length === leaves.length ? conditions : null
}

/** Rows that meet one of these conditions. Rows of web vitals that nothing counts make no groups where visits do. */
const onlyRows = (select: Select, conditions: ReadonlyArray<Expression>): Select => ({
  ...select,
  where: [...select.where, conditions.length === 1 ? conditions[0]! : boolean("or", ...conditions)]
})

const isVital = (from: Relation): Expression => ({
  kind: "in",
  of: columnOf(from, "event_type", "integer"),
  values: [EventType.performance]
})

const isOfVisit = ({ from }: Rows["scope"]): Expression => boolean("not", isVital(from))

interface Direct {
  readonly part: PartRows
  readonly visits: VisitRows
}

/** Visits in place of their rows, if they know what the rows are grouped and filtered by. */
const directVisits = (part: PartRows): Direct | null => {
  const visits = visitRows(part, null)
  return visits === null ? null : { part, visits }
}

interface Leaves {
  readonly direct: Direct
  readonly ofVisits: ReadonlyArray<Leaf>
  readonly ofRows: ReadonlyArray<Leaf>
}

/** Visits, and who made them, from the visits themselves; from their rows only what is left, such as revenue. */
const byVisits = (grouping: Grouping, rows: Rows, { direct, ofRows, ofVisits }: Leaves): Select => {
  const { part, visits } = direct
  const isOfVisits = (leaf: Leaf) => isVisitors(leaf.make(rows.scope, null), rows.scope.from)
  const distinct: { alias: string; source: Source } = {
    alias: part.rows.scope.build.alias(),
    source: { kind: "union", selects: [] }
  }
  const visitors: Expression = { ...aggregateOf("distinct"), of: columnOf(distinct, "session", "uuid") }
  const columns = [
    ...ofVisits.map(({ alias, make }) => ({ alias, expression: make(part.rows.scope, distinct) })),
    ...ofRows.filter(isOfVisits).map(({ alias }) => ({ alias, expression: visitors }))
  ]
  const used = new Set(columns.flatMap(({ expression }) => columnsUsed(expression, distinct)))
  distinct.source = {
    kind: "select",
    select: visitSelect(visits, used, {
      [VISIT.entry]: boolean("not", boolean("is-null", columnOf(visits.from, "entry_path", "text"))),
      [VISIT.exit]: boolean("not", boolean("is-null", columnOf(visits.from, "exit_path", "text")))
    })
  }
  const counted = countVisits(part, distinct, columns)
  const rest = ofRows.filter((leaf) => !isOfVisits(leaf))
  if (rest.length === 0) return counted
  const select = rowsPart(grouping, rows, rest)
  // Every group has visits, so rows that nothing counts need not be read.
  const conditions = whatCounts(grouping, select)
  const counting = conditions === null ? select : onlyRows(select, conditions)
  return merged(grouping, [counting, counted])
}

/** An aggregate that needs only visits and the events of goals. `goal`: which events it counts; null if it counts visitors. */
interface OfGoals {
  readonly alias: string
  readonly aggregate: Aggregate
  readonly goal: Expression | null
}

const ofGoals = ({ alias, expression }: OutputColumn, from: Relation): ReadonlyArray<OfGoals> => {
  if (expression.kind !== "aggregate") return []
  const { where } = expression
  if (where !== null && isOfFew(where, from)) return [{ alias, aggregate: expression, goal: where }]
  const isOfAll = isEveryone(expression, from) || isVisitors(expression, from)
  return isOfAll ? [{ alias, aggregate: expression, goal: null }] : []
}

/**
 * The groups of goals, by what visits know: a row for each visit, which says whose visits there are, and one for each event that reaches a goal,
 * which are a fraction of all, or that may be in no visit, which can make a group. Null if visits do not know enough, or are not needed.
 */
const byGoals = (select: Select, again: () => PartRows): Select | null => {
  const { columns, from, groupBy, joins } = select
  const leaves = columns.slice(groupBy!)
  const counted = leaves.flatMap((leaf) => ofGoals(leaf, from))
  const goals = counted.flatMap(({ goal }) => (goal === null ? [] : [goal]))
  if (goals.length === 0 || counted.length < leaves.length) return null
  const needsVisits = joins.some(({ relation }) => relation.source.kind === "visits")
  // Without either, the rows of goals are all it takes.
  if (!needsVisits && goals.length === counted.length) return null
  const direct = directVisits(again())
  if (direct === null) return null
  const visits = visitSelect(direct.visits, new Set(), {})
  const events = onlyRows(select, [...goals, isVital(from)])
  const sources = { ofVisit: [...visits.columns], ofEvent: [...columns.slice(0, groupBy!), sessionOf(from)] }
  const all: Relation = {
    alias: direct.part.rows.scope.build.alias(),
    source: {
      kind: "union",
      selects: [
        { ...visits, columns: sources.ofVisit },
        { ...events, columns: sources.ofEvent, groupBy: null }
      ]
    }
  }
  /** A column of both. */
  const shared = (alias: string, ofEvent: Expression, ofVisit: Expression): Expression => {
    sources.ofEvent.push({ alias, expression: ofEvent })
    sources.ofVisit.push({ alias, expression: ofVisit })
    return columnOf(all, alias, typeOf(ofEvent))
  }
  const totals = counted.map(({ aggregate, alias, goal }) => {
    const { of, where } = aggregate
    const isOfVisitor = of !== null && isColumn(of, from, "session_id")
    return {
      alias,
      expression: {
        ...aggregate,
        of: isOfVisitor
          ? columnOf(all, "session", "uuid")
          : of && shared(`${alias}_of`, of, { kind: "null", type: typeOf(of) }),
        // No visit is a goal, but each has a visitor.
        where: where && shared(`${alias}_counts`, where, value("boolean", goal === null))
      }
    }
  })
  return countVisits(direct.part, all, totals)
}

/** The visitor, of whom only equality matters. */
const sessionOf = (from: Relation): OutputColumn => ({
  alias: "session",
  expression: columnOf(from, "session_id", "uuid"),
  isIdentity: true
})

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
const visitsPart = (again: () => PartRows, leaves: ReadonlyArray<Leaf>, mayLackGroups: boolean): Select => {
  const part = again()
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
  const ends = isOfEnds && build.compat === "strict" && build.keepsVisits ? visitEnds(again, used) : null
  distinct.source =
    ends !== null
      ? { kind: "union", selects: ends }
      : {
          kind: "select",
          select: build.compat === "umami" ? storedVisits(part, used) : strictVisits(part, used, isOfEnds)
        }
  return countVisits(part, distinct, columns)
}

/** Counts the visits in `distinct` for each group. */
const countVisits = ({ breakouts }: PartRows, distinct: Relation, columns: ReadonlyArray<OutputColumn>): Select => ({
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
})

const aggregateOf = (name: "count" | "distinct") => ({ kind: "aggregate", name, where: null, type: "integer" }) as const

/** Whether a condition holds for the rows that belong to a visit, and for no others. */
const holdsInVisits = (condition: Expression, from: Relation): boolean =>
  condition.kind === "call" &&
  condition.name === "not" &&
  valuesOf(condition.args[0]!, from, "event_type")?.join() === String(EventType.performance)

/** Whether an expression counts the visitors of all rows that belong to a visit. */
const isVisitors = (expression: Expression, from: Relation): boolean =>
  isDistinctVisitors(expression, from) && expression.where !== null && holdsInVisits(expression.where, from)

/** Whether an expression counts the visitors of all rows. */
const isEveryone = (expression: Expression, from: Relation): boolean =>
  isDistinctVisitors(expression, from) && expression.where === null

/** Visits as rows, with what they are grouped by. */
interface VisitRows {
  readonly from: Relation
  readonly joins: Select["joins"]
  readonly where: ReadonlyArray<Expression>
  readonly breakouts: ReadonlyArray<Expression>
}

/**
 * The visits of these rows. `end`: what stands for the rows' page; then rows may also be restricted to types that pageviews are among. Null
 * if not all rows of a visit agree in something that the question uses.
 */
const visitRows = (
  { breakouts, rows: { scope, where } }: PartRows,
  end: "entry_path" | "exit_path" | null
): VisitRows | null => {
  const { from, joins } = scope
  if (scope.view?.name !== "v_pa_events") return null
  const visits = scope.visits()
  const known = (expression: Expression): Expression =>
    withColumns(expression, (column) => {
      if (isColumn(column, from, "session_id", "site_id")) return columnOf(visits, column.column, column.type)
      if (end !== null && isColumn(column, from, "url_path")) return columnOf(visits, end, "text")
      if (column.relation === visits || isVisitorsRelation(column.relation)) return column
      throw new NotOfVisits()
    })
  try {
    const isOfViews = (condition: Expression) => end !== null && holdsFor(condition, from, 1)
    return {
      from: visits,
      joins: joins
        .filter(({ relation }) => relation !== visits)
        .map((join) => {
          if (join.kind !== "left" || !isVisitorsRelation(join.relation)) throw new NotOfVisits()
          return { ...join, on: join.on.map(known) }
        }),
      where: where.filter((condition) => !isOfViews(condition) && !holdsInVisits(condition, from)).map(known),
      breakouts: breakouts.map(({ expression }) => known(expression))
    }
  } catch (error) {
    if (error instanceof NotOfVisits) return null
    throw error
  }
}

class NotOfVisits extends Error {}

/** Visits with the columns that are used; `flags` says how its ends are. */
const visitSelect = (
  { breakouts, from, joins, where }: VisitRows,
  used: ReadonlySet<string>,
  flags: Readonly<Record<string, Expression>>
): Select => {
  const all: ReadonlyArray<readonly [string, () => Expression]> = [
    [VISIT.bounce, () => columnOf(from, "is_bounce", "boolean")],
    [VISIT.duration, () => columnOf(from, "duration_s", "integer")],
    ...Object.entries(flags).map(([alias, expression]) => [alias, () => expression] as const)
  ]
  return {
    ...base,
    from,
    joins,
    where,
    columns: [
      ...breakouts.map((expression, index) => ({ alias: `b${index}`, expression })),
      sessionOf(from),
      ...all.flatMap(([alias, make]) => (used.has(alias) ? [{ alias, expression: make() }] : []))
    ],
    groupBy: null
  }
}

/**
 * Each visit on the page where it began, and on the one where it ended if that is another. Visits with views that are not pageviews are looked
 * up in their rows: a question may be about pageviews only.
 */
const visitEnds = (again: () => PartRows, used: ReadonlySet<string>): ReadonlyArray<Select> | null => {
  const entries = visitRows(again(), "entry_path")
  const exits = visitRows(again(), "exit_path")
  if (entries === null || exits === null) return null
  const path = ({ from }: VisitRows, end: "entry_path" | "exit_path") => columnOf(from, end, "text")
  const isBoth = (rows: VisitRows) => boolean("not-distinct", path(rows, "entry_path"), path(rows, "exit_path"))
  const isPlain = (from: Relation) => columnOf(from, "has_pageviews_only", "boolean")
  const [yes, no] = [value("boolean", true), value("boolean", false)]
  const select = (rows: VisitRows, where: ReadonlyArray<Expression>, entry: Expression, exit: Expression) =>
    visitSelect({ ...rows, where: [...rows.where, isPlain(rows.from), ...where] }, used, {
      [VISIT.entry]: entry,
      [VISIT.exit]: exit
    })
  const others = again()
  const rest = strictVisits(others, used, true)
  const session = columnOf(others.rows.scope.from, "session_id", "uuid")
  const columns = new Set(select(entries, [], yes, yes).columns.map(({ alias }) => alias))
  return [
    select(entries, [boolean("not", boolean("is-null", path(entries, "entry_path")))], yes, isBoth(entries)),
    select(exits, [boolean("not", isBoth(exits))], no, yes),
    pick(
      {
        ...rest,
        where: [
          ...rest.where,
          boolean("not", isPlain(others.rows.scope.visits())),
          // There are few of them, or none, and engines know that only from this.
          { kind: "among", of: session, select: sessionsOf(again().rows.scope.visits(), isPlain) }
        ]
      },
      columns,
      others
    )
  ]
}

/** The sessions of visits of which something does not hold. */
const sessionsOf = (visits: Relation, holds: (visits: Relation) => Expression): Select => ({
  ...selectFrom(visits, [columnOf(visits, "session_id", "uuid")]),
  where: [boolean("not", holds(visits))]
})

/** Some columns of a select, as one of its own: its rows stay distinct by all of them. */
const pick = (select: Select, names: ReadonlySet<string>, { rows }: PartRows): Select => {
  const relation: Relation = { alias: rows.scope.build.alias(), source: { kind: "select", select } }
  const columns = select.columns.filter(({ alias }) => names.has(alias))
  return {
    ...base,
    from: relation,
    joins: [],
    where: [],
    columns: columns.map(({ alias, expression }) => ({
      alias,
      expression: columnOf(relation, alias, typeOf(expression))
    })),
    groupBy: null
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
  const isPart = isOfVisit(scope)
  const started = columnOf(visits, "started_at", "instant")
  const optional: ReadonlyArray<readonly [string, () => Expression]> = [
    [VISIT.bounce, () => columnOf(visits, "is_bounce", "boolean")],
    [VISIT.duration, () => columnOf(visits, "duration_s", "integer")]
  ]
  const flags = endFlags(part, used)
  const keys = [
    ...breakoutAliases(breakouts),
    sessionOf(visits),
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
    sessionOf(scope.from),
    { alias: VISIT.id, expression: columnOf(scope.from, "visit_id", "uuid") },
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

const isCount = ({ expression }: OutputColumn): boolean =>
  expression.kind === "aggregate" && (expression.name === "count" || expression.name === "distinct")

/** Parts that are grouped alike as one: each has the values of some columns. */
const merged = (grouping: Grouping, parts: ReadonlyArray<Select>): Select => {
  const { build } = grouping.rows
  const width = grouping.breakouts.length
  const counts = new Set(
    parts.flatMap(({ columns }) => columns.flatMap((column) => (isCount(column) ? [column.alias] : [])))
  )
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
      // A part lacks the groups in which it counts nothing.
      ...grouping.leaves.map(({ alias, part, type }) => ({
        alias,
        expression:
          part === "visits" || counts.has(alias)
            ? call("coalesce", type, best(alias, type), value("integer", 0))
            : best(alias, type)
      }))
    ],
    groupBy: width
  }
}
