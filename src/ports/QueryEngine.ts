import { Context, type Effect, Schema, type Stream } from "effect"

/** The SQL dialect of an engine. */
export type QueryDialect = "postgres" | "trino" | "duckdb"

/**
 * Which tables an engine has: `postgres`: the views of the app database; `replica`: the columnar copy of them (docs/replica.md);
 * `lake`: the lake's tables.
 */
export type QueryModel = "postgres" | "replica" | "lake"

/**
 * A value that the SQL refers to by position and that is never part of the SQL itself. `timestamp`: ISO 8601 in UTC with up to six
 * fractional digits, as in `2026-03-28T22:50:00.123456Z`. `decimal`: digits with a decimal point.
 * `site`: a site's id, for which the replica has a number of its own. Other models compare ids themselves.
 */
export type QueryParameter =
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "integer"; readonly value: number | bigint }
  | { readonly type: "decimal"; readonly value: string }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "timestamp"; readonly value: string }
  | { readonly type: "site"; readonly value: string }

/** A compiled query. */
export interface Query {
  /** One statement in the engine's dialect that returns rows. Parameters are `$1`, `$2` …, or `?` in Trino, each used once in order. */
  readonly sql: string
  readonly parameters: ReadonlyArray<QueryParameter>
  /** The lake's tables in the SQL, for engines that have to look up their locations. */
  readonly tables: ReadonlyArray<string>
  /** Maximum number of rows; more are `TooLarge`. The engine's own limit applies if it is lower. */
  readonly maxRows?: number
}

/**
 * How the values of a column look, whatever the engine:
 * - `text`: a string. `boolean`: a boolean. `date`: `2026-03-28`.
 * - `integer`: a number, or a bigint beyond ±(2^53 - 1).
 * - `decimal`: a string with all digits of its scale, as in `1.5000`.
 * - `float`: a number.
 * - `timestamp`: `2026-03-28T22:50:00.123456Z`, always with six fractional digits; without `Z` if the engine's type has no time zone.
 * - `map`: an object whose values are strings or null.
 * - `other`: the engine's own notation, as a string.
 * Any of them may be null.
 */
export type QueryType = "text" | "boolean" | "date" | "integer" | "decimal" | "float" | "timestamp" | "map" | "other"

export type QueryValue = null | string | number | bigint | boolean | Readonly<Record<string, string | null>>

export interface QueryColumn {
  readonly name: string
  readonly type: QueryType
}

export interface QueryResult {
  readonly columns: ReadonlyArray<QueryColumn>
  /** Each with one value per column, in the order of the columns. */
  readonly rows: ReadonlyArray<ReadonlyArray<QueryValue>>
}

export type QueryRows = QueryResult["rows"]

/** A part of a result: its columns, and some of its rows in their order. */
export type QueryChunk = QueryResult

/** How current the data of an engine is. */
export interface AsOf {
  /** Data is complete up to this time, as in `QueryType`'s `timestamp`. */
  readonly time: string
  /** Opaque. The same data may have several versions, but never two different data the same version. */
  readonly version: string
}

/**
 * Why a query failed.
 * - `Unavailable`: the engine is unreachable, denies access or is in trouble. The same query may succeed later.
 * - `Timeout`: no result within the deadline. The engine has been asked to cancel it.
 * - `Invalid`: the engine cannot run this query: it does not accept its SQL, names or types.
 * - `OutOfRange`: a number or a time that the query computes is larger than the engine's types.
 * - `TooLarge`: more rows than allowed, or more memory than the engine has.
 * - `Missing`: there is nothing to query: no tables yet, or a warehouse without events. `message` says what to set or wait for, and is
 *   safe to show to anyone.
 * - `NoEngine`: no engine is named. `message` says what to set, and is safe to show to anyone.
 * `message` is safe to show to an operator: it contains no connection string and no parameter value.
 */
export class QueryError extends Schema.TaggedError<QueryError>()("QueryError", {
  reason: Schema.Literals(["Unavailable", "Timeout", "Invalid", "OutOfRange", "TooLarge", "Missing", "NoEngine"]),
  message: Schema.String
}) {}

/** The default maximum number of rows: tens of megabytes in this process. */
const MAX_ROWS = 100_000

/** Runs queries where the events are stored. Read-only. */
export class QueryEngine extends Context.Service<
  QueryEngine,
  {
    readonly dialect: QueryDialect
    readonly model: QueryModel
    /** Ends within the engine's deadline. Interrupting it cancels the query in the engine. */
    readonly run: (query: Query) => Effect.Effect<QueryResult, QueryError>
    /**
     * The rows in chunks of a few thousand, for exports: constant memory, at the consumer's pace, and with a longer deadline of its own,
     * which also counts the time that the consumer takes. Only the query's `maxRows` limits the rows. A result without rows is one chunk
     * without rows. Closing the stream cancels the query in the engine. `spentMs`: how much of the deadline earlier queries of the same
     * export have taken.
     */
    readonly stream: (query: Query, spentMs?: number) => Stream.Stream<QueryChunk, QueryError>
    /** Takes milliseconds: a query that begins now sees at least this data. */
    readonly asOf: Effect.Effect<AsOf, QueryError>
  }
>()("footfall/ports/QueryEngine") {}

/** The maximum number of rows of a query in an engine with this limit. */
export const rowLimit = (query: Query, limit = MAX_ROWS): number => Math.min(query.maxRows ?? limit, limit)

export const tooManyRows = (limit: number): QueryError =>
  new QueryError({ reason: "TooLarge", message: `The result has more than ${limit} rows. Ask for fewer.` })

/** A stream that did not end within its deadline. */
export const streamedTooLong = (milliseconds: number): QueryError =>
  new QueryError({
    reason: "Timeout",
    message: `The export did not end within ${milliseconds / 1_000} s. Export less, or increase EXPORT_TIMEOUT_SECONDS.`
  })

export const tookTooLong = (milliseconds: number): QueryError =>
  new QueryError({
    reason: "Timeout",
    message: `No result within ${milliseconds / 1_000} s. Use a shorter range, or increase WAREHOUSE_TIMEOUT_SECONDS.`
  })
