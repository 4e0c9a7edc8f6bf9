import { Result } from "effect"
import { isZone } from "../../lib/timeZone.ts"
import { below, FqlError } from "../fql/FqlError.ts"
import { isSameJson, LIMITS, type Query, type QueryJoin, type QuerySource } from "../fql/schema.ts"
import type { Labels } from "../metadata/labels.ts"
import { findView, knownViews, presentIn, type View } from "../metadata/views.ts"
import type { QuestionContext } from "../plan/context.ts"
import {
  type Compat,
  call,
  columnOf,
  type Expression,
  type Ordering,
  type Presence,
  type Relation,
  type RowScope,
  type Select,
  type Source,
  selectFrom,
  type TimeRange,
  type TruncationUnit,
  typeOf,
  type ValueType,
  value
} from "../plan/plan.ts"
import { AGGREGATIONS, aggregateIn, Grouping, pageAmong, unknownAggregation } from "./aggregations.ts"
import { type Amounts, amountsOf } from "./amounts.ts"
import type { Cast } from "./casts.ts"
import { type Dimension, resolveDimension, sitesRead } from "./dimensions.ts"
import { resolveExpression } from "./expressions.ts"
import { resolveFilter } from "./filters.ts"
import { FUNCTIONS } from "./functions.ts"
import { groupedSelect } from "./grouped.ts"
import { hasOther, withOther } from "./other.ts"
import { conjunction, type Narrowed, namedSites, narrow, permittedSites } from "./ranges.ts"
import {
  type Build,
  columnsOfView,
  type Label,
  type Labeled,
  offsetsWithin,
  SelectScope,
  type SourceColumn,
  type UnknownProperty,
  type Warning
} from "./SelectScope.ts"
import { labelsOf } from "./values.ts"

/** A column of the answer. */
export interface PlannedColumn extends Label {
  readonly type: ValueType
  readonly source: "breakout" | "aggregation" | "fields"
  /** The unit that a time is truncated to. */
  readonly temporalUnit: TruncationUnit | null
  /** The clause that refers to the column. */
  readonly fieldRef: unknown
  /** What is shown in the place of its values; null: the values themselves. */
  readonly labels: Labels | null
  /** Whether an absent group means 0. */
  readonly isCount: boolean
  /** Whether the value carries on over absent groups. */
  readonly isCumulative: boolean
}

/** One query's plan. */
interface Planned {
  readonly select: Select
  readonly columns: ReadonlyArray<PlannedColumn>
  readonly rows: RowScope
}

/** A question, ready for an engine. */
export interface PlannedQuestion extends Planned {
  readonly zone: string
  readonly weekStart: Build["weekStart"]
  readonly compat: Compat
  readonly isGrouped: boolean
  /** The properties that it reads as declared types. */
  readonly casts: ReadonlyArray<Cast>
  /** Its aggregations over amounts of any currency. */
  readonly amounts: ReadonlyArray<Amounts>
  /** The events that it names. */
  readonly events: ReadonlyArray<string>
  /** The properties that it names and that are not registered. */
  readonly unknownProperties: ReadonlyArray<UnknownProperty>
  readonly warnings: ReadonlyArray<Warning>
  /** Warnings that apply if it finds nothing. */
  readonly warningsOfNothing: ReadonlyArray<Warning>
}

/** What the answer's default limits are. */
export const ROWS_SHOWN = { bare: 2_000, grouped: 10_000 } as const

/**
 * Plans a question. Refuses what the language, the permissions or the limits do not allow.
 */
export const planQuestion = (
  context: QuestionContext,
  query: Query,
  { keepsVisits = false, presence = null }: Partial<Pick<Build, "keepsVisits" | "presence">> = {}
): Result.Result<PlannedQuestion, FqlError> => {
  try {
    const warnings: Array<Warning> = []
    const warningsOfNothing: Array<Warning> = []
    const build = { ...startBuild(context, query, warnings, warningsOfNothing), keepsVisits, presence }
    const planned = planQuery(build, query, "", 0)
    return Result.succeed({
      ...planned,
      columns: planned.columns.map((column) => ({
        ...column,
        labels: column.origin === null ? null : labelsOf(build, column.origin)
      })),
      zone: build.zone,
      weekStart: build.weekStart,
      compat: build.compat,
      isGrouped: isGrouped(query),
      casts: [...build.casts.values()],
      amounts: [...build.amounts.values()],
      events: [...build.events],
      unknownProperties: [...build.unknownProperties.values()],
      warnings,
      warningsOfNothing
    })
  } catch (cause) {
    if (cause instanceof FqlError) return Result.fail(cause)
    throw cause
  }
}

export const isGrouped = (query: Query): boolean =>
  (query.aggregation?.length ?? 0) > 0 || (query.breakout?.length ?? 0) > 0

/** Adds a warning to others, unless it is among them. */
const addTo =
  (warnings: Array<Warning>): Build["warn"] =>
  (warning) => {
    if (!warnings.some(({ code, detail }) => code === warning.code && detail === warning.detail)) warnings.push(warning)
  }

const startBuild = (
  context: QuestionContext,
  query: Query,
  warnings: Array<Warning>,
  warningsOfNothing: Array<Warning>
): Omit<Build, "keepsVisits" | "presence"> => {
  const named = sitesOf(context, query, "", 0)
  const sites = context.sites.filter(({ id }) => named === null || named.has(id))
  const { timezone, "week-start": weekStart } = query.settings ?? {}
  if (timezone !== undefined && !isZone(timezone)) {
    throw new FqlError(
      "bad-timezone",
      "/settings/timezone",
      `\`${timezone}\` is not a time zone. Use a name such as \`Europe/Berlin\`.`
    )
  }
  const zones = new Set(sites.map((site) => site.timezone))
  if (timezone === undefined && zones.size > 1) {
    warnings.push({
      code: "several-timezones",
      detail: `The sites have different time zones. Times are in ${context.timezone}.`
    })
  }
  const same = <Value>(values: ReadonlyArray<Value>, otherwise: Value): Value =>
    new Set(values).size === 1 ? values[0]! : otherwise
  let aliases = 0
  let filters = 0
  return {
    context,
    sites: sites.map(({ id }) => id),
    zone: timezone ?? same([...zones], context.timezone),
    weekStart:
      weekStart ??
      same(
        sites.map((site) => site.weekStart),
        context.weekStart
      ),
    compat:
      query.compat ??
      same(
        sites.map(({ definitions }) => definitions),
        "strict"
      ),
    alias: () => `t${aliases++}`,
    casts: new Map(),
    amounts: new Map(),
    events: new Set(),
    unknownProperties: new Map(),
    within: 0,
    warn: addTo(warnings),
    warnOfNothing: addTo(warningsOfNothing),
    countFilter: (pointer) => {
      if (++filters > LIMITS.filterNodes) {
        throw new FqlError("limit-exceeded", pointer, `The question has more than ${LIMITS.filterNodes} conditions.`)
      }
    }
  }
}

/** The sites that a question or its source names; null if it names none. */
const sitesOf = (
  context: QuestionContext,
  query: Query,
  pointer: string,
  depth: number
): ReadonlySet<string> | null => {
  const { source } = query
  if (depth > LIMITS.depth) return null
  if (typeof source !== "string") {
    const inner = "card" in source ? context.cards.get(source.card.toLowerCase()) : source.query
    const place = below(pointer, "source", ...("card" in source ? [] : ["query"]))
    return inner === undefined ? null : sitesOf(context, inner, place, depth + 1)
  }
  const view = findView(source)
  return view === undefined ? null : namedSites(context, view, query, below(pointer, "filter"))
}

const planQuery = (build: Build, query: Query, pointer: string, depth: number): Planned => {
  if (depth > LIMITS.depth) {
    throw new FqlError("limit-exceeded", pointer, `Questions may be nested at most ${LIMITS.depth} levels deep.`)
  }
  const make = scopeMaker(build, query, pointer, depth)
  return isGrouped(query) ? planGroups(build, query, make, pointer) : planRows(query, make(build), pointer)
}

/** A query's source with its conditions, resolved. */
export interface Rows {
  readonly scope: SelectScope
  readonly where: ReadonlyArray<Expression>
}

/** Makes the scope of a query's rows, as often as its parts need one. */
const scopeMaker = (build: Build, query: Query, pointer: string, depth: number): ((build: Build) => Rows) => {
  const view = viewNamed(query.source, below(pointer, "source"))
  const at = below(pointer, "filter")
  const narrowed: Narrowed =
    view === null
      ? {
          range: { from: null, until: null },
          sites: null,
          rest: query.filter === undefined ? [] : conjunction(query.filter, at)
        }
      : narrow(build, view, query, at)
  const inner = view === null ? planSource(build, query.source, below(pointer, "source"), depth) : null
  const rows: RowScope = inner?.rows ?? { sites: permittedSites(build, narrowed.sites), range: narrowed.range }
  const makeRows = (own: Build): Rows => {
    const scope = openScope(own, query, view, inner, rows)
    for (const [index, join] of (query.joins ?? []).entries()) {
      addJoin(scope, join, below(pointer, "joins", index), depth)
    }
    const where = [
      ...narrowed.rest.map(([clause, place]) => resolveFilter(scope, clause, place)),
      ...(view === null ? [] : withoutHiddenKeys(own, view, { relation: scope.from, rows }))
    ]
    scope.again = () => makeRows({ ...own, countFilter: () => {} })
    return { scope, where }
  }
  return makeRows
}

/** The view that is the source; null if it is another query. */
const viewNamed = (source: QuerySource, pointer: string): View | null => {
  if (typeof source !== "string") return null
  const view = findView(source)
  if (view !== undefined) return view
  throw new FqlError(
    "forbidden",
    pointer,
    `Product analytics queries are only allowed on product analytics views.${knownViews(source)}`
  )
}

const planSource = (build: Build, source: QuerySource, pointer: string, depth: number): Planned => {
  if (typeof source === "string") throw new FqlError("bad-ast", pointer, "This is not a query.")
  if ("query" in source) return planQuery(build, source.query, below(pointer, "query"), depth + 1)
  const card = build.context.cards.get(source.card.toLowerCase())
  if (card !== undefined) return planQuery(build, card, below(pointer, "card"), depth + 1)
  const detail = build.context.trashed.has(source.card.toLowerCase())
    ? `The question ${source.card} is in the trash. Restore it to use it.`
    : `There is no question ${source.card}.`
  throw new FqlError("not-found", below(pointer, "card"), detail)
}

const presenceOf = (build: Build, { range }: RowScope): Presence | null =>
  build.presence === null
    ? null
    : { unit: build.presence, weekStart: build.weekStart, offsets: offsetsWithin(build, range) }

const sourceOfView = (build: Build, view: View, rows: RowScope): Source =>
  view.name === "v_pa_visits"
    ? {
        kind: "visits",
        compat: build.compat,
        scope: rows,
        used: new Set(),
        presence: presenceOf(build, rows),
        part: null
      }
    : { kind: "view", view: view.name, scope: rows, used: new Set() }

const openScope = (
  build: Build,
  query: Query,
  view: View | null,
  inner: Planned | null,
  rows: RowScope
): SelectScope => {
  const source: Source = view === null ? { kind: "select", select: inner!.select } : sourceOfView(build, view, rows)
  const relation: Relation = { alias: build.alias(), source }
  return new SelectScope(
    build,
    relation,
    rows,
    view === null ? columnsOfQuery(inner!.columns, relation) : build.presence === null ? view : presentIn(view),
    query.expressions ?? {}
  )
}

/** Where rows are single properties or attributes: only those that the person who asks may see. */
const withoutHiddenKeys = (
  build: Build,
  view: View,
  { relation, rows }: { readonly relation: Relation; readonly rows: RowScope }
): ReadonlyArray<Expression> => {
  const owner = view.name === "v_pa_event_data" ? "event" : view.name === "v_pa_session_data" ? "visitor" : null
  const keys = owner === null ? [] : (build.context.hidden?.keys(sitesRead({ build, rows }), owner) ?? [])
  return keys.length === 0
    ? []
    : [call("not", "boolean", { kind: "in", of: columnOf(relation, "data_key", "text"), values: keys })]
}

/** The columns of a query as the source of another. */
const columnsOfQuery = (columns: ReadonlyArray<PlannedColumn>, relation: Relation): ReadonlyArray<SourceColumn> =>
  columns.map(({ display, name, origin, semantic, type, unit }, index) => ({
    name,
    expression: columnOf(relation, `c${index}`, type),
    label: { name, display, semantic, unit, origin }
  }))

const addJoin = (scope: SelectScope, join: QueryJoin, pointer: string, depth: number): void => {
  const { build } = scope
  if (scope.joined.has(join.alias)) {
    throw new FqlError("bad-ast", below(pointer, "alias"), `Two joins have the alias \`${join.alias}\`.`)
  }
  const view = viewNamed(join.source, below(pointer, "source"))
  const inner = view === null ? planSource(build, join.source, below(pointer, "source"), depth) : null
  // Rows that belong together may be far apart in time, but not on different sites' terms.
  const range: TimeRange = view?.name === "v_pa_visits" ? scope.rows.range : { from: null, until: null }
  const rows: RowScope = { sites: permittedSites(build, null) ?? scope.rows.sites, range }
  const source: Source = view === null ? { kind: "select", select: inner!.select } : sourceOfView(build, view, rows)
  const relation: Relation = { alias: build.alias(), source }
  scope.joined.set(
    join.alias,
    view === null ? columnsOfQuery(inner!.columns, relation) : columnsOfView(build, view, relation)
  )
  checkCondition(join.condition, below(pointer, "condition"))
  const on = [
    ...conjunction(join.condition, below(pointer, "condition")).map(([clause, at]) => resolveFilter(scope, clause, at)),
    ...(view === null ? [] : withoutHiddenKeys(build, view, { relation, rows }))
  ]
  scope.joins.push({ kind: join.strategy === "left-join" ? "left" : "inner", relation, on })
}

const checkCondition = (condition: QueryJoin["condition"], pointer: string): void => {
  for (const [[name, , ...values], at] of conjunction(condition, pointer)) {
    if (name !== "=" || values.length !== 1 || !Array.isArray(values[0])) {
      throw new FqlError(
        "bad-ast",
        at,
        'The condition of a join compares fields: ["=", ["field", "id"], ["field", "session_id", {"join-alias": "events"}]], and several with `and`.'
      )
    }
  }
}

const plannedColumn = (
  { expression, label }: Labeled,
  source: PlannedColumn["source"],
  fieldRef: unknown,
  temporalUnit: TruncationUnit | null = null
): PlannedColumn => ({
  ...label,
  type: typeOf(expression),
  source,
  temporalUnit,
  fieldRef,
  labels: null,
  isCount: false,
  isCumulative: false
})

/** Names that are taken get a number. */
const uniqueNames = (columns: ReadonlyArray<PlannedColumn>): ReadonlyArray<PlannedColumn> => {
  const taken = new Set<string>()
  return columns.map((column) => {
    let name = column.name
    for (let number = 2; taken.has(name); number++) name = `${column.name}_${number}`
    taken.add(name)
    return name === column.name ? column : { ...column, name }
  })
}

const pageOf = (query: Query): { readonly limit: number | null; readonly offset: number } => {
  const { limit, page } = query
  if (page === undefined) return { limit: limit ?? null, offset: 0 }
  const offset = (page.page - 1) * page.items
  return { limit: limit === undefined ? page.items : Math.max(0, Math.min(page.items, limit - offset)), offset }
}

/** A question that lists rows. */
const planRows = (query: Query, { scope, where }: Rows, pointer: string): Planned => {
  if (query.fields?.length === 0) {
    throw new FqlError(
      "bad-ast",
      below(pointer, "fields"),
      "`fields` is empty. Name at least one, or leave it out for all."
    )
  }
  const chosen =
    query.fields === undefined
      ? allFields(query, scope)
      : query.fields.map((field, index) => ({ field, at: below(pointer, "fields", index) }))
  if (query.having !== undefined) {
    throw new FqlError("bad-ast", below(pointer, "having"), "`having` needs an aggregation. Use `filter`.")
  }
  const dimensions = chosen.map(({ at, field }) => ({ field, dimension: resolveDimension(scope, field, at) }))
  const columns = uniqueNames(
    dimensions.map(({ dimension, field }) =>
      plannedColumn(dimension, "fields", typeof field === "string" ? ["field", field] : field, dimension.unit)
    )
  )
  const given = (query["order-by"] ?? []).map(([direction, by], index) => ({
    expression: resolveDimension(scope, by, below(pointer, "order-by", index, 1)).expression,
    descending: direction === "desc"
  }))
  return {
    select: {
      from: scope.from,
      joins: scope.joins,
      where,
      columns: dimensions.map(({ dimension }, index) => ({ alias: `c${index}`, expression: dimension.expression })),
      groupBy: null,
      isDistinct: false,
      orderBy: [...given, ...newestFirst(scope)],
      ...pageOf(query)
    },
    columns,
    rows: scope.rows
  }
}

/** The order of rows that are otherwise equal: the same in each run and on each engine. */
const newestFirst = ({ from, view }: SelectScope): ReadonlyArray<Ordering> => {
  if (view === null) return []
  const time = view.columns.find(
    ({ name, type }) => type === "instant" && (name === view.time || name === "created_at")
  )
  const id = view.columns.find(({ name }) => name === "id")
  return [
    ...(time === undefined ? [] : [{ expression: columnOf(from, time.name, "instant"), descending: true }]),
    ...(id === undefined ? [] : [{ expression: columnOf(from, "id", "uuid"), descending: true }])
  ]
}

const allFields = (query: Query, scope: SelectScope) => {
  const own = scope.columns
    .filter(
      ({ name }) =>
        scope.view === null || scope.view.columns.find((column) => column.name === name)?.visibility === "normal"
    )
    .map(({ name }) => ["field", name] as const)
  const custom = Object.keys(query.expressions ?? {}).map((name) => ["expression", name] as const)
  const joined = (query.joins ?? []).flatMap(({ alias, fields = "none" }) =>
    fields === "none"
      ? []
      : fields === "all"
        ? scope.joined.get(alias)!.map(({ name }) => ["field", name, { "join-alias": alias }] as const)
        : fields.map((field) =>
            typeof field === "string" ? (["field", field, { "join-alias": alias }] as const) : field
          )
  )
  return [...own, ...custom, ...joined].map((field) => ({ field, at: "/fields" }))
}

/** A question that groups rows: the groups, then what is computed of them, then conditions and order. */
const planGroups = (build: Build, query: Query, make: (build: Build) => Rows, pointer: string): Planned => {
  const rows = make(build)
  const resolveBreakouts = (scope: SelectScope): ReadonlyArray<Dimension> =>
    (query.breakout ?? []).map((dimension, index) =>
      resolveDimension(scope, dimension, below(pointer, "breakout", index))
    )
  const breakouts = resolveBreakouts(rows.scope)
  const relation: { alias: string; source: Source } = { alias: build.alias(), source: { kind: "union", selects: [] } }
  const grouping = new Grouping(rows.scope, { breakouts, page: pageAmong(breakouts) }, relation)
  const after = new SelectScope(build, relation, rows.scope.rows, breakoutColumns(grouping, query), {})
  after.aggregate = aggregateIn(grouping, () => after)
  const aggregations = (query.aggregation ?? []).map((clause, index) => {
    const at = below(pointer, "aggregation", index)
    if (!AGGREGATIONS.has(clause[0]) && !FUNCTIONS.has(clause[0])) throw unknownAggregation(clause, at)
    return resolveExpression(after, clause, at)
  })
  const middle: { alias: string; source: Source } = { alias: build.alias(), source: { kind: "union", selects: [] } }
  const plain = groupColumns(query, breakouts, aggregations)
  const finish = finishGroups(build, { query, middle, columns: plain, breakouts, after, aggregations }, pointer)
  const { amounts, units } = amountsOf(grouping, rows, aggregations)
  // A nested question's amounts are in no column of the answer.
  for (const [leaf, one] of amounts) {
    build.amounts.set(`${pointer} ${leaf}`, pointer === "" ? one : { ...one, aggregations: [] })
  }
  const columns = plain.map((column, index) => ({ ...column, unit: units[index - breakouts.length] ?? column.unit }))
  // What `having` and the order add must be known before the groups are built.
  const again = () => {
    const quiet = make({ ...build, countFilter: () => {} })
    return { rows: quiet, breakouts: resolveBreakouts(quiet.scope) }
  }
  relation.source = groupedSelect(grouping, rows, () => {
    const other = again()
    return { ...other, page: pageAmong(other.breakouts) }
  })
  middle.source = {
    kind: "select",
    select: selectFrom(relation, [
      ...breakouts.map((_, index) => grouping.breakoutColumn(index)),
      ...aggregations.map(({ expression }) => expression),
      ...finish.extra
    ])
  }
  const select = hasOther(query, breakouts, pointer)
    ? withOther(after, { query, breakouts, aggregations, all: finish.select, again, columns: after.columns, pointer })
    : finish.select
  return { select, columns, rows: rows.scope.rows }
}

const breakoutColumns = (grouping: Grouping, query: Query): ReadonlyArray<SourceColumn> =>
  grouping.breakouts.map(({ label }, index) => {
    const given = query.breakout![index]!
    return {
      name: typeof given === "string" ? given : String(given[1]),
      expression: grouping.breakoutColumn(index),
      label
    }
  })

const COUNTS: ReadonlyArray<unknown> = ["count", "distinct", "count-where", "distinct-where"]
const COUNTING_METRICS: ReadonlyArray<unknown> = [
  "visitors",
  "visits",
  "pageviews",
  "events",
  "bounces",
  "total-time",
  "entries",
  "exits",
  "conversions"
]
const isCount = (clause: ReadonlyArray<unknown>): boolean =>
  clause[0] === "aggregation-options" && Array.isArray(clause[1])
    ? isCount(clause[1])
    : COUNTS.includes(clause[0]) || (clause[0] === "metric" && COUNTING_METRICS.includes(clause[1]))
const isCumulative = (clause: ReadonlyArray<unknown>): boolean =>
  clause[0] === "aggregation-options" && Array.isArray(clause[1])
    ? isCumulative(clause[1])
    : String(clause[0]).startsWith("cum-")

const groupColumns = (
  query: Query,
  breakouts: ReadonlyArray<Dimension>,
  aggregations: ReadonlyArray<Labeled>
): ReadonlyArray<PlannedColumn> =>
  uniqueNames([
    ...breakouts.map((dimension, index) => {
      const given = query.breakout![index]!
      return plannedColumn(dimension, "breakout", typeof given === "string" ? ["field", given] : given, dimension.unit)
    }),
    ...aggregations.map((aggregation, index) => {
      const clause = query.aggregation![index]!
      return {
        ...plannedColumn(aggregation, "aggregation", ["aggregation", index]),
        isCount: isCount(clause),
        isCumulative: isCumulative(clause)
      }
    })
  ])

const isMetric = (clause: ReadonlyArray<unknown>): boolean =>
  clause[0] === "aggregation-options" && Array.isArray(clause[1]) ? isMetric(clause[1]) : clause[0] === "metric"

const isOfTime = ({ expression, unit }: Dimension): boolean => unit !== null || expression.kind === "extract"

/**
 * Whether a question leaves out the groups in which its metrics are what they are without rows: a page with nothing but custom events has no
 * pageviews. Series in time have all of their buckets, and other aggregations all groups that have rows.
 */
const listsNoEmptyGroups = ({ aggregation = [] }: Query, breakouts: ReadonlyArray<Dimension>): boolean =>
  aggregation.length > 0 && aggregation.every(isMetric) && !breakouts.every(isOfTime)

/** Whether a number is another than without rows. */
const isSomething = ({ isCount }: PlannedColumn, expression: Expression): Expression =>
  isCount
    ? call("gt", "boolean", expression, value("integer", 0))
    : call("not", "boolean", call("is-null", "boolean", expression))

interface Groups {
  readonly query: Query
  readonly middle: Relation
  readonly columns: ReadonlyArray<PlannedColumn>
  readonly breakouts: ReadonlyArray<Dimension>
  readonly after: SelectScope
  readonly aggregations: ReadonlyArray<Labeled>
}

/** Conditions on groups, their order and their number. Adds the aggregations that only these use. */
const finishGroups = (build: Build, groups: Groups, pointer: string) => {
  const { after, aggregations, breakouts, columns, middle, query } = groups
  const extra: Array<Expression> = []
  const columnAt = (index: number) =>
    columnOf(middle, `c${index}`, columns[index]?.type ?? typeOf(extra[index - columns.length]!))
  const scope = new SelectScope(
    build,
    middle,
    after.rows,
    columns.map((column, index) => ({ name: column.name, expression: columnAt(index), label: column })),
    {}
  )
  scope.aggregate = (clause, at) => {
    if (clause[0] === "aggregation") return aggregationAt(clause[1], at)
    if (typeof clause[0] !== "string" || !AGGREGATIONS.has(clause[0])) return breakoutLike(clause)
    const same = (query.aggregation ?? []).findIndex((one) => isSameJson(one, clause))
    if (same >= 0) return { expression: columnAt(breakouts.length + same), label: columns[breakouts.length + same]! }
    const added = resolveExpression(after, clause, at)
    extra.push(added.expression)
    return { expression: columnAt(columns.length + extra.length - 1), label: added.label }
  }
  const aggregationAt = (index: unknown, at: string): Labeled => {
    if (typeof index === "number" && aggregations[index] !== undefined) {
      return { expression: columnAt(breakouts.length + index), label: columns[breakouts.length + index]! }
    }
    throw new FqlError(
      "bad-ast",
      at,
      `There is no aggregation ${JSON.stringify(index) ?? ""}: the question has ${aggregations.length}, counted from 0.`
    )
  }
  const breakoutLike = (clause: ReadonlyArray<unknown>): Labeled | null => {
    const index = (query.breakout ?? []).findIndex(
      (one) =>
        isSameJson(one, clause) ||
        (typeof one === "string" && clause[0] === "field" && clause[1] === one && clause.length === 2)
    )
    return index < 0 ? null : { expression: columnAt(index), label: columns[index]! }
  }
  const something = columns.flatMap((column, index) =>
    column.source === "aggregation" ? [isSomething(column, columnAt(index))] : []
  )
  const where = [
    // The rows of a question on this one are all of its groups.
    ...(pointer === "" && listsNoEmptyGroups(query, breakouts) ? [call("or", "boolean", ...something)] : []),
    ...(query.having === undefined ? [] : [resolveFilter(scope, query.having, below(pointer, "having"))])
  ]
  const given = (query["order-by"] ?? []).map(([direction, by], index) => ({
    expression: orderedBy(scope, by, below(pointer, "order-by", index, 1)),
    descending: direction === "desc"
  }))
  const select: Select = {
    ...selectFrom(
      middle,
      columns.map((_, index) => columnAt(index))
    ),
    where,
    orderBy: [...given, ...breakouts.map((_, index) => ({ expression: columnAt(index), descending: false }))],
    ...pageOf(query)
  }
  return { select, extra }
}

const orderedBy = (scope: SelectScope, by: unknown, pointer: string): Expression => {
  if (Array.isArray(by) && !["aggregation", "field", "prop", "attr", "expression"].includes(String(by[0])))
    return resolveExpression(scope, by, pointer).expression
  const found = Array.isArray(by) ? scope.aggregate?.(by, pointer) : null
  if (found != null) return found.expression
  const name = Array.isArray(by) ? by[1] : by
  if (typeof name === "string") return scope.field(name, pointer).expression
  throw new FqlError("bad-ast", pointer, "Order by a breakout or an aggregation.")
}
