import type { QueryDialect, QueryParameter } from "../../ports/QueryEngine.ts"
import type {
  ExtractionUnit,
  FunctionName,
  Offsets,
  Relation,
  Source,
  TruncationUnit,
  ValueType,
  WeekStart
} from "../plan/plan.ts"
import type { Sql } from "./Sql.ts"

/** A function of SQL expressions. */
export type Render = (args: ReadonlyArray<Sql>, types: ReadonlyArray<ValueType>) => Sql

/** The SQL of one engine. */
export interface Dialect {
  readonly name: QueryDialect
  /** The types that parameters are cast to. */
  readonly parameterTypes: Readonly<Record<QueryParameter["type"], string>>
  readonly functions: Readonly<Record<FunctionName, Render>>
  /** A bound value of a type. */
  readonly value: (type: ValueType, value: string | number | bigint | boolean) => Sql
  /** A null of a type. */
  readonly typedNull: (type: ValueType) => Sql
  readonly isOneOf: (of: Sql, type: ValueType, values: ReadonlyArray<string | number | bigint | boolean>) => Sql
  /** An instant as wall-clock time, given seconds from UTC, which may be negative. */
  readonly shift: (instant: Sql, seconds: Sql) => Sql
  /** A wall-clock time as an instant, given seconds from UTC. */
  readonly unshift: (local: Sql, seconds: Sql) => Sql
  /** One of several numbers: the first below the first bound, the second from there up to the second bound, and so on. `of` occurs once. */
  readonly lookUp: (of: Sql, bounds: ReadonlyArray<Sql>, numbers: ReadonlyArray<number>) => Sql
  readonly truncate: (local: Sql, unit: TruncationUnit, weekStart: WeekStart) => Sql
  /** What stands for the day of a wall-clock time where that is cheaper to group by and compare than the time at which the day begins. */
  readonly day?: (local: Sql) => Sql
  readonly extract: (local: Sql, unit: ExtractionUnit, weekStart: WeekStart) => Sql
  /** Text in an order that does not depend on the server's locale. */
  readonly ordered: (of: Sql, type: ValueType) => Sql
  /** An aggregate. `filter`: empty, or ` FILTER (WHERE …)`. */
  readonly percentile: (of: Sql, fraction: number, filter: Sql) => Sql
  readonly average: (of: Sql) => Sql
  /** The sum of a column as its own type. */
  readonly sum: (of: Sql, type: ValueType) => Sql
  /** The span of so many units, as a constant interval. */
  readonly interval: (unit: TruncationUnit, count: number) => string
}

/** What stands for an id within an engine. Only keys of the same domain can be compared. */
export interface Key {
  readonly domain: string
  readonly sql: Sql
}

/** What stands for a value within an engine, cheaper to group by, and the value that it stands for. */
export interface GroupKey {
  readonly key: Sql
  readonly value: Sql
  /** The value that a key stands for, wherever that key is, if it must be looked up. */
  readonly lookUp?: (key: string) => string
}

/** A part of an instant, as the clocks of a zone show it. */
export interface TimePart {
  readonly offsets: Offsets
  readonly unit: ExtractionUnit
  readonly weekStart: WeekStart
}

/** Where an engine keeps the views' rows. */
export interface Model {
  /**
   * Whether the engine stores strict visits, and can split them by time (`Presence`). Then it also stores when the visit before ended
   * (`prev_ended_at` of visits), and the 15-minute bucket of the visitor's previous event of the same type and path, or name (`prev_same`
   * of events; in `prev_same_or_none`, -1 stands for null).
   */
  readonly keepsVisits: boolean
  /**
   * A source for a FROM clause, without an alias, restricted to its scope; and to the events whose ids a query finds, if there is one. Only engines
   * that keep visits get one.
   */
  readonly source: (source: Exclude<Source, { readonly kind: "select" | "union" }>, ids: Sql | null) => Sql
  /** A column of a view, a property or a visit; null if the engine does not keep it. */
  readonly column: (relation: Relation, column: string) => Sql | null
  /** What stands for an id within the engine, cheaper to compare and count; null if the id itself does. */
  readonly key: (relation: Relation, column: string) => Key | null
  /** What stands for a column's text in groups; null, or no such method, if the text itself does. */
  readonly textKey?: (relation: Relation, column: string) => GroupKey | null
  /** A part of a column's wall-clock time; null, or no such method, if it is computed from the time. Asked before `source`. */
  readonly part?: (relation: Relation, column: string, part: TimePart) => Sql | null
  /** Whether an id is one of these; null if the id is compared as it is. */
  readonly isOneOf: (relation: Relation, column: string, ids: ReadonlyArray<string>) => Sql | null
}

/** An engine that questions can be compiled for. */
export interface Target {
  readonly dialect: Dialect
  readonly model: Model
}
