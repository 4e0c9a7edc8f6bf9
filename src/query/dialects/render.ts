import { Result } from "effect"
import { FqlError } from "../fql/FqlError.ts"
import { viewOf } from "../metadata/views.ts"
import {
  columnOf,
  type Expression,
  type Join,
  type Offsets,
  type Relation,
  type Select,
  type Source,
  typeOf
} from "../plan/plan.ts"
import { columnsUsed, isColumn, isVisitorsRelation, joinsThatCount } from "../plan/rows.ts"
import { changesWithin } from "../plan/time.ts"
import { countFirsts } from "./countFirsts.ts"
import type { GroupKey, Key, Target } from "./Dialect.ts"
import { allOf, join, type Sql, sql, text } from "./Sql.ts"
import { simplified } from "./simplified.ts"
import { countsRows, largestPairs, MAX_LISTED, type Top, topGroups } from "./topGroups.ts"
import { needsNoSums, needsSteps } from "./userFlows.ts"
import { withoutJoins } from "./withoutJoins.ts"

/** Renders a plan as one statement. */
export const render = (target: Target, select: Select): Result.Result<Sql, FqlError> => {
  try {
    return Result.succeed(new Renderer(target).select(select))
  } catch (cause) {
    if (cause instanceof FqlError) return Result.fail(cause)
    throw cause
  }
}

/** Rows that are looked up by their ids. */
const MAX_LOOKED_UP = 10_000
/** Columns of rows for which that pays. */
const MANY_COLUMNS = 5

/** Whether a join finds at most one row for each. */
const isOfOneRow = ({ kind, relation }: Join): boolean =>
  kind === "left" && (isVisitorsRelation(relation) || ["property", "visits"].includes(relation.source.kind))

/**
 * The ids of the rows that a select lists, if it pays to find them before it reads the rows: sorting only needs the columns of the order
 * and of the conditions.
 */
const idsOf = (select: Select): Select | null => {
  const { columns, from, groupBy, isDistinct, joins, limit, orderBy, where } = select
  const { source } = from
  if (source.kind !== "view" || source.view !== "v_pa_events" || groupBy !== null || isDistinct) return null
  if (limit === null || limit > MAX_LOOKED_UP || columns.length < MANY_COLUMNS) return null
  // Otherwise, other rows could be as good as these.
  if (!orderBy.some(({ expression }) => isColumn(expression, from, "id"))) return null
  if (!joins.every(isOfOneRow)) return null
  const id = columnOf(from, "id", "uuid")
  const sorted = [...where, ...orderBy.map(({ expression }) => expression)]
  const needed = joinsThatCount(joins, sorted)
  // What is computed for each row takes most of the time.
  const used = new Set([...sorted, ...needed.flatMap(({ on }) => on)].flatMap((one) => columnsUsed(one, from)))
  return {
    ...select,
    columns: [{ alias: "c0", expression: id }],
    from: { ...from, source: { ...source, used } },
    joins: needed
  }
}

/** Whether a decimal can hold a value exactly: engines have four digits after the point, and at most 34 before it. */
const isDecimal = (value: unknown): boolean =>
  typeof value !== "number" || (Math.abs(value) < 1e34 && Math.round(value * 1e4) / 1e4 === value)

const isConstant = ({ kind }: Expression): boolean => kind === "value" || kind === "null"

/** Whether an expression is the time of the source's rows, which is never null. Postgres finds the latest by their index only without NULLS LAST. */
const isTimeOf = (from: Relation, expression: Expression): boolean =>
  expression.kind === "column" &&
  expression.relation === from &&
  from.source.kind === "view" &&
  viewOf(from.source.view).time === expression.column

/** Before all times of a question. */
const FIRST_INSTANT = "0001-01-01T00:00:00.000Z"

class Renderer {
  readonly #target: Target
  /** Whether selected ids are replaced with what stands for them. */
  readonly #selectsKeys: boolean
  /** The groups that a list shows of a select. */
  readonly #tops = new Map<Select, Top>()
  constructor(target: Target, selectsKeys = false) {
    this.#target = target
    this.#selectsKeys = selectsKeys
  }

  select(given: Select): Sql {
    const { keepsVisits } = this.#target.model
    const whole = keepsVisits ? withoutJoins(countFirsts(simplified(given))) : simplified(given)
    const ids = keepsVisits ? idsOf(whole) : null
    const select = ids === null ? whole : { ...whole, offset: 0 }
    if (needsSteps(select)) columnOf(select.from, "step", "integer")
    if (keepsVisits && needsNoSums(select)) columnOf(select.from, "unsummed", "boolean")
    const { columns, from, groupBy, isDistinct, joins, limit, offset, orderBy, where } = select
    const keys = columns.slice(0, groupBy ?? 0).map(({ expression }) => {
      const found = this.#groupKey(expression)
      // Another parameter would make it another expression than that of the column.
      return found === null || found.key.parameters.length > 0 ? null : found
    })
    const top = this.#tops.get(given)
    const isLookedUp = (index: number) => top !== undefined && keys[index]?.lookUp !== undefined
    const list = columns.map(({ alias, expression, isIdentity = false }, index) => {
      const isKey = isIdentity || this.#selectsKeys
      if (isLookedUp(index)) return sql`${keys[index]!.key} AS ${alias}`
      return sql`${keys[index]?.value ?? (isKey ? this.#identity(expression) : this.expression(expression))} AS ${alias}`
    })
    const joined = joins.map((one) => this.#join(one))
    const conditions = where.map((one) => this.expression(one))
    const orders = orderBy.map(
      ({ descending, expression }) =>
        sql`${this.#order(expression)}${descending ? " DESC" : ""}${isTimeOf(from, expression) ? "" : " NULLS LAST"}`
    )
    // After everything else, which may need more of its columns.
    const source = sql`FROM ${this.#fromOf(given, from, ids)}`
    const filtered = [source, ...joined, ...(conditions.length === 0 ? [] : [sql`WHERE ${allOf(conditions)}`])]
    const parts = [
      sql`SELECT ${isDistinct ? "DISTINCT " : ""}${list.length === 0 ? text("1 AS one") : join(list, ", ")}`,
      ...filtered,
      ...(groupBy === null || groupBy === 0
        ? []
        : [
            this.#groupBy(
              columns.slice(0, groupBy).map(({ expression }) => expression),
              keys
            )
          ]),
      ...(orders.length === 0 ? [] : [sql`ORDER BY ${join(orders, ", ")}`]),
      // Trino takes them in this order only.
      ...(offset === 0 ? [] : [text(`OFFSET ${offset}`)]),
      ...(limit === null ? [] : [text(`LIMIT ${limit}`)])
    ]
    const rows = join(parts, "\n")
    if (top === undefined || !columns.some((_, index) => isLookedUp(index))) return rows
    const shown = columns.map(({ alias }, index) => {
      const column = `top.${alias}`
      return isLookedUp(index) ? `${keys[index]!.lookUp!(column)} AS ${alias}` : column
    })
    const isOfPairs = keys.length > 1 && keys.every((_, index) => isLookedUp(index)) && countsRows(select)
    const grouped =
      isOfPairs && top.count <= MAX_LISTED
        ? largestPairs(
            columns.map(({ alias }) => alias),
            list.slice(0, keys.length),
            join(filtered, "\n"),
            top
          )
        : sql`grouped AS MATERIALIZED (${rows})`
    return sql`SELECT ${shown.join(", ")}
FROM (WITH ${grouped}
SELECT * FROM grouped WHERE ${top.alias} >= (SELECT min(${top.alias}) FROM (SELECT ${top.alias} FROM grouped ORDER BY ${top.alias} DESC LIMIT ${String(top.count)}))) AS top`
  }

  /** Positions, so that a parameter in an expression is sent once. Constants need no group. */
  #groupBy(expressions: ReadonlyArray<Expression>, keys: ReadonlyArray<GroupKey | null>): Sql {
    const groups = expressions.flatMap((one, index) =>
      isConstant(one) ? [] : [keys[index]?.key ?? text(String(index + 1))]
    )
    return groups.length === 0 ? text("GROUP BY ()") : sql`GROUP BY ${join(groups, ", ")}`
  }

  #groupKey(expression: Expression): GroupKey | null {
    if (expression.kind === "column") {
      return this.#target.model.textKey?.(expression.relation, expression.column) ?? null
    }
    const key = this.#day(expression)
    return key === null ? null : { key, value: this.expression(expression) }
  }

  /** What stands for the day that an expression is the beginning of. */
  #day(expression: Expression): Sql | null {
    if (expression.kind !== "truncate" || expression.unit !== "day") return null
    return this.#target.dialect.day?.(this.expression(expression.of)) ?? null
  }

  #order(expression: Expression): Sql {
    return this.#target.dialect.ordered(this.expression(expression), typeOf(expression))
  }

  /** What a select reads: of groups, only those that it shows, if it lists the largest. */
  #fromOf(given: Select, from: Relation, ids: Select | null): Sql {
    const found = topGroups(given)
    if (found === null) return this.#from(from, ids)
    this.#tops.set(found.groups, found.top)
    const read = this.#from(from, ids)
    // Another select may read all of the same groups.
    this.#tops.delete(found.groups)
    return read
  }

  /** `ids`: those of the rows that are needed; null: all. */
  #from({ alias, source }: Relation, ids: Select | null = null): Sql {
    return sql`(${this.#source(source, ids)}) AS ${alias}`
  }

  #source(source: Source, ids: Select | null): Sql {
    if (source.kind === "select") return this.select(source.select)
    if (source.kind === "union")
      return join(
        source.selects.map((one) => sql`(${this.select(one)})`),
        "\nUNION ALL\n"
      )
    return this.#target.model.source(source, ids === null ? null : this.select(ids))
  }

  #join({ kind, on, relation }: Join): Sql {
    return sql`${kind === "left" ? "LEFT" : "INNER"} JOIN ${this.#from(relation)} ON ${allOf(on.map((one) => this.expression(one)))}`
  }

  expression(expression: Expression): Sql {
    const { dialect } = this.#target
    switch (expression.kind) {
      case "column":
        return this.#column(expression)
      case "value":
        return dialect.value(expression.type, expression.value)
      case "null":
        return dialect.typedNull(expression.type)
      case "in":
        return this.#isOneOf(expression)
      case "call":
        return this.#call(expression)
      case "local":
        return dialect.shift(this.expression(expression.of), this.#seconds(expression.of, expression.offsets))
      case "instant":
        return this.#instant(expression)
      case "truncate":
        return dialect.truncate(this.expression(expression.of), expression.unit, expression.weekStart)
      case "extract":
        return (
          this.#part(expression) ??
          dialect.extract(this.expression(expression.of), expression.unit, expression.weekStart)
        )
      case "aggregate":
        return this.#aggregate(expression)
      case "running-sum":
        return this.#window(sql`sum(${this.expression(expression.of)})`, expression, "ROWS UNBOUNDED PRECEDING")
      case "offset": {
        const span = dialect.interval(expression.unit, Math.abs(expression.count))
        const side = expression.count > 0 ? "PRECEDING" : "FOLLOWING"
        return this.#window(
          sql`max(${this.expression(expression.of)})`,
          expression,
          `RANGE BETWEEN ${span} ${side} AND ${span} ${side}`
        )
      }
      case "among":
        return sql`${this.#identity(expression.of)} IN (${this.#keySelect(expression.select)})`
    }
  }

  #column(expression: Extract<Expression, { readonly kind: "column" }>): Sql {
    const { column, relation } = expression
    if (relation.source.kind === "select" || relation.source.kind === "union")
      return text(`${relation.alias}.${column}`)
    const found = this.#target.model.column(relation, column)
    if (found !== null) return found
    throw new FqlError("unsupported-on-backend", "", `The field \`${column}\` is not available from this engine.`)
  }

  /** A part of a time that the engine keeps. */
  #part({ of, unit, weekStart }: Extract<Expression, { readonly kind: "extract" }>): Sql | null {
    if (of.kind !== "local" || of.of.kind !== "column") return null
    const { column, relation } = of.of
    return this.#target.model.part?.(relation, column, { offsets: of.offsets, unit, weekStart }) ?? null
  }

  /** What stands for an id where only equality matters. */
  #identity(expression: Expression): Sql {
    return this.#key(expression)?.sql ?? this.expression(expression)
  }

  #key(expression: Expression): Key | null {
    if (expression.kind !== "column") return null
    const { column, relation } = expression
    if (relation.source.kind === "union") return null
    if (relation.source.kind === "select") {
      if (!this.#selectsKeys) return null
      const inner = relation.source.select.columns.find(({ alias }) => alias === column)?.expression
      const key = inner === undefined ? null : this.#key(inner)
      return key === null ? null : { domain: key.domain, sql: text(`${relation.alias}.${column}`) }
    }
    return this.#target.model.key(relation, column)
  }

  /** A subselect of ids, as what stands for them. */
  #keySelect(select: Select): Sql {
    return new Renderer(this.#target, true).select(select)
  }

  #isOneOf({ of, values }: Extract<Expression, { readonly kind: "in" }>): Sql {
    const type = typeOf(of)
    if (
      of.kind === "column" &&
      type === "uuid" &&
      of.relation.source.kind !== "select" &&
      of.relation.source.kind !== "union"
    ) {
      const found = this.#target.model.isOneOf(of.relation, of.column, values.map(String))
      if (found !== null) return found
    }
    const compared = type === "decimal" && !values.every(isDecimal) ? "float" : type
    return this.#target.dialect.isOneOf(this.expression(of), compared, values)
  }

  #call({ args, name }: Extract<Expression, { readonly kind: "call" }>): Sql {
    const render = this.#target.dialect.functions[name]
    const types = args.map(typeOf)
    if (name === "eq" || name === "not-distinct") {
      const keys = args.map((one) => this.#key(one))
      const [first] = keys
      if (keys.every((key) => key !== null && key.domain === first?.domain)) {
        return render(
          keys.flatMap((key) => (key === null ? [] : [key.sql])),
          types
        )
      }
      const days = args.map((one) => this.#day(one))
      if (days.every((day) => day !== null)) return render(days, types)
    }
    return render(
      args.map((one) => this.expression(one)),
      types
    )
  }

  #aggregate(expression: Extract<Expression, { readonly kind: "aggregate" }>): Sql {
    const { fraction, name, of, where } = expression
    const { dialect } = this.#target
    const filter = where === null ? text("") : sql` FILTER (WHERE ${this.expression(where)})`
    const operand =
      of === null
        ? text("*")
        : name === "distinct" || name === "count"
          ? (this.#groupKey(of)?.key ?? this.#identity(of))
          : this.expression(of)
    switch (name) {
      case "count":
        return sql`count(${operand})${filter}`
      case "distinct":
        return sql`count(DISTINCT ${operand})${filter}`
      case "sum":
        return dialect.sum(sql`sum(${operand})${filter}`, expression.type)
      case "avg":
        return sql`avg(${dialect.average(operand)})${filter}`
      case "min":
      case "max":
        return sql`${name}(${dialect.ordered(operand, expression.type)})${filter}`
      case "stddev":
        return sql`stddev_samp(${dialect.average(operand)})${filter}`
      case "var":
        return sql`var_samp(${dialect.average(operand)})${filter}`
      case "percentile":
        return dialect.percentile(operand, fraction!, filter)
    }
  }

  #window(
    of: Sql,
    { order, partition, type }: Extract<Expression, { readonly kind: "running-sum" | "offset" }>,
    frame: string
  ): Sql {
    const by =
      partition.length === 0
        ? text("")
        : sql`PARTITION BY ${join(
            partition.map((one) => this.expression(one)),
            ", "
          )} `
    return this.#target.dialect.sum(sql`${of} OVER (${by}ORDER BY ${this.#order(order)} ${frame})`, type)
  }

  /** A wall-clock time as an instant. A unit in which the clock changes begins with the change. */
  #instant({ near, of, offsets }: Extract<Expression, { readonly kind: "instant" }>): Sql {
    const { dialect } = this.#target
    const start = dialect.unshift(this.expression(of), this.#seconds(near, offsets))
    const changes = of.kind === "truncate" ? changesWithin(of.unit, offsets) : []
    if (changes.length === 0) return start
    const at = this.expression(near)
    const branches = changes.toReversed().map((change) => {
      const began = dialect.value("instant", change)
      return sql`WHEN ${at} >= ${began} THEN ${began}`
    })
    return sql`greatest(${start}, CASE ${join(branches, " ")} ELSE ${dialect.value("instant", FIRST_INSTANT)} END)`
  }

  /** Seconds from UTC at an instant: one number, or a search among the zone's changes. */
  #seconds(instant: Expression, offsets: Offsets): Sql {
    if (offsets.length === 1) return text(String(offsets[0]!.seconds))
    const dialect = this.#target.dialect
    // A tree of comparisons is faster, but repeats what it compares.
    if (instant.kind !== "column") {
      const bounds = offsets.slice(0, -1).map(({ until }) => dialect.value("instant", until!))
      return dialect.lookUp(
        this.expression(instant),
        bounds,
        offsets.map(({ seconds }) => seconds)
      )
    }
    const middle = Math.floor(offsets.length / 2)
    const change = dialect.value("instant", offsets[middle - 1]!.until!)
    return sql`CASE WHEN ${this.expression(instant)} < ${change} THEN ${this.#seconds(instant, offsets.slice(0, middle))} ELSE ${this.#seconds(instant, offsets.slice(middle))} END`
  }
}
