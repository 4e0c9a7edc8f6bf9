import {
  call,
  columnOf,
  type Expression,
  type OutputColumn,
  type Relation,
  type Select,
  selectFrom,
  typeOf,
  value
} from "../plan/plan.ts"
import { columnsIn, isColumn, valuesOf, withColumns } from "../plan/rows.ts"

/*
 * Conversions by what is known of visits, such as their channel. Whose visits there are, the visits say; only the events that reach a goal, a
 * fraction of all, need to be joined with their visits. For engines that keep visits.
 */

type Aggregate = Extract<Expression, { readonly kind: "aggregate" }>

const PATTERNS: ReadonlySet<string> = new Set(
  ["contains", "starts-with", "ends-with"].flatMap((name) => [name, `${name}-any-case`])
)
const PAGEVIEW = 1
const WEB_VITAL = 5

/** Whether few events meet a condition, as far as one can say without knowing them. */
const isOfFew = (condition: Expression, from: Relation): boolean => {
  if (condition.kind === "call" && condition.name === "and") return condition.args.some((one) => isOfFew(one, from))
  if (condition.kind === "call" && condition.name === "or") return condition.args.every((one) => isOfFew(one, from))
  const types = valuesOf(condition, from, "event_type")
  if (types !== null) return !types.map(Number).includes(PAGEVIEW)
  const isText = (one: Expression | undefined) =>
    one?.kind === "column" && one.relation === from && typeOf(one) === "text"
  if (condition.kind === "in") return isText(condition.of)
  if (condition.kind !== "call") return false
  const [of, to] = condition.args
  return isText(of) && to?.kind === "value" && (condition.name === "eq" || PATTERNS.has(condition.name))
}

/** Whether a condition holds for all events but web vitals: all that make visits. */
const isOfAllInVisits = (condition: Expression, from: Relation): boolean =>
  condition.kind === "call" &&
  condition.name === "not" &&
  valuesOf(condition.args[0]!, from, "event_type")?.map(Number).join() === String(WEB_VITAL)

/** The visits that events are joined with, if they are those of the same sites and time, and nothing else is joined. */
const visitsOf = ({ from, joins }: Select): Relation | null => {
  const { source } = from
  const [join, ...others] = joins
  if (source.kind !== "view" || source.view !== "v_pa_events" || join === undefined || others.length > 0) return null
  const { kind, relation } = join
  if (kind !== "left" || relation.source.kind !== "visits") return null
  const { compat, part, presence, scope } = relation.source
  if (compat !== "strict" || presence !== null || part !== null) return null
  return JSON.stringify(scope) === JSON.stringify(source.scope) ? relation : null
}

/** What an aggregate counts: the visitors of all rows, those of the rows in visits, or what reaches a goal; null for anything else. */
const kindOf = ({ name, of, where }: Aggregate, from: Relation): "everyone" | "visitors" | "goal" | null => {
  if (where !== null && isOfFew(where, from)) return "goal"
  if (name !== "distinct" || of === null || !isColumn(of, from, "session_id")) return null
  if (where === null) return "everyone"
  return isOfAllInVisits(where, from) ? "visitors" : null
}

/** The same select, which reads visits and the events of its goals instead of all events with their visits. */
export const goalsOfVisits = (select: Select): Select => {
  const visits = visitsOf(select)
  const { columns, from, groupBy, isDistinct, limit, offset, orderBy, where } = select
  if (visits === null || groupBy === null || isDistinct || limit !== null || offset !== 0 || orderBy.length > 0)
    return select
  const keys = columns.slice(0, groupBy).map(({ expression }) => expression)
  const aggregates = columns.slice(groupBy).map(({ expression }) => expression)
  if (!aggregates.every((one): one is Aggregate => one.kind === "aggregate")) return select
  const kinds = aggregates.map((one) => kindOf(one, from))
  if (!kinds.includes("goal") || kinds.includes(null)) return select
  const rest = where.filter((one) => !isOfAllInVisits(one, from))
  const isOfVisit = (expression: Expression): boolean =>
    columnsIn(expression).every((one) => one.relation === visits || isColumn(one, from, "session_id", "site_id"))
  if (![...keys, ...rest].every(isOfVisit)) return select
  return combined({ select, visits, keys, aggregates, kinds, rest })
}

interface Parts {
  readonly select: Select
  readonly visits: Relation
  readonly keys: ReadonlyArray<Expression>
  readonly aggregates: ReadonlyArray<Aggregate>
  readonly kinds: ReadonlyArray<ReturnType<typeof kindOf>>
  /** The conditions that only use what is known of visits. */
  readonly rest: ReadonlyArray<Expression>
}

const or = (conditions: ReadonlyArray<Expression>): Expression =>
  conditions.reduce((left, right) => call("or", "boolean", left, right))

/** A row for each visit, and one for each event that reaches a goal or may be in no visit: such events can make a group. */
const combined = ({ aggregates, keys, kinds, rest, select, visits }: Parts): Select => {
  const { columns, from, groupBy } = select
  const goals = aggregates.filter((_, index) => kinds[index] === "goal")
  const ofVisit = (expression: Expression) =>
    withColumns(expression, (column) =>
      column.relation === from ? columnOf(visits, column.column, typeOf(column)) : column
    )
  const session = (relation: Relation): OutputColumn => ({
    alias: "session",
    expression: columnOf(relation, "session_id", "uuid"),
    isIdentity: true
  })
  const named = (prefix: string, expressions: ReadonlyArray<Expression>): ReadonlyArray<OutputColumn> =>
    expressions.map((expression, index) => ({ alias: `${prefix}${index}`, expression }))
  const isVisitor = ({ of }: Aggregate) => of !== null && isColumn(of, from, "session_id")
  const values = goals.flatMap((goal, index): ReadonlyArray<OutputColumn> => {
    return goal.of === null || isVisitor(goal) ? [] : [{ alias: `v${index}`, expression: goal.of }]
  })
  const ofVisits: Select = {
    ...selectFrom(visits, []),
    where: rest.map(ofVisit),
    columns: [
      ...named("k", keys.map(ofVisit)),
      session(visits),
      { alias: "is_visit", expression: value("boolean", true) },
      ...named(
        "g",
        goals.map(() => value("boolean", false))
      ),
      ...values.map(({ alias, expression }): OutputColumn => {
        return { alias, expression: { kind: "null", type: typeOf(expression) } }
      })
    ]
  }
  const vitals: Expression = { kind: "in", of: columnOf(from, "event_type", "integer"), values: [WEB_VITAL] }
  const ofEvents: Select = {
    ...selectFrom(from, []),
    joins: select.joins,
    where: [...select.where, or([...goals.map(({ where }) => where!), vitals])],
    columns: [
      ...named("k", keys),
      session(from),
      { alias: "is_visit", expression: value("boolean", false) },
      ...named(
        "g",
        goals.map(({ where }) => where!)
      ),
      ...values
    ]
  }
  const all: Relation = { alias: `${from.alias}_goals`, source: { kind: "union", selects: [ofVisits, ofEvents] } }
  const visitor = columnOf(all, "session", "uuid")
  return {
    ...selectFrom(all, []),
    groupBy,
    columns: columns.map(({ alias, expression }, index) => {
      if (index < keys.length) return { alias, expression: columnOf(all, `k${index}`, typeOf(expression)) }
      const aggregate = aggregates[index - keys.length]!
      const kind = kinds[index - keys.length]
      if (kind !== "goal") {
        const where = kind === "visitors" ? columnOf(all, "is_visit", "boolean") : null
        return { alias, expression: { ...aggregate, of: visitor, where } }
      }
      const goal = goals.indexOf(aggregate)
      const column = values.find((one) => one.alias === `v${goal}`)
      const of = isVisitor(aggregate) ? visitor : column && columnOf(all, column.alias, typeOf(column.expression))
      return { alias, expression: { ...aggregate, of: of ?? null, where: columnOf(all, `g${goal}`, "boolean") } }
    })
  }
}
