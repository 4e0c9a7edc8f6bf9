import { Context, type Effect, Schema } from "effect"

/** What a question's SQL is written in. */
export type QueryDialect = "postgres" | "trino" | "duckdb"

/**
 * A value that the SQL names by its place and that is never part of its text. `timestamp`: ISO 8601 in UTC with up to six
 * digits of a second, as in `2026-03-28T22:50:00.123456Z`; `decimal`: digits with a point.
 */
export type QueryParameter =
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "integer"; readonly value: number | bigint }
  | { readonly type: "decimal"; readonly value: string }
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "timestamp"; readonly value: string }

/** A compiled question. */
export interface Question {
  /** One statement of the engine's dialect that answers rows. Parameters: `$1`, `$2` …; in Trino `?`, in their order. */
  readonly sql: string
  readonly parameters: ReadonlyArray<QueryParameter>
  /** The tables of the lake that the SQL names, for engines that have to look up where they are. */
  readonly tables: ReadonlyArray<string>
  /** Most rows of the answer; more are `TooLarge`. The engine's own limit when it is lower. */
  readonly maxRows?: number
}

/**
 * How a column's values look, whatever the engine:
 * - `text`: a string. `boolean`: a boolean. `date`: `2026-03-28`.
 * - `integer`: a number, or a bigint beyond ±(2^53 - 1).
 * - `decimal`: a string with all digits of its scale, as in `1.5000`.
 * - `float`: a number.
 * - `timestamp`: `2026-03-28T22:50:00.123456Z`, always with six digits; without `Z` when the engine's value has no zone.
 * - `map`: an object of text or null.
 * - `other`: the engine's own text.
 * Any of them may be null.
 */
export type QueryType = "text" | "boolean" | "date" | "integer" | "decimal" | "float" | "timestamp" | "map" | "other"

export type QueryValue = null | string | number | bigint | boolean | Readonly<Record<string, string | null>>

export interface QueryColumn {
  readonly name: string
  readonly type: QueryType
}

export interface QueryAnswer {
  readonly columns: ReadonlyArray<QueryColumn>
  /** As many values as there are columns, in their order. */
  readonly rows: ReadonlyArray<ReadonlyArray<QueryValue>>
}

/**
 * Why a question has no answer.
 * - `Unavailable`: the engine can't be reached, refuses us or is in trouble; the same question may be answered later.
 * - `Timeout`: no answer within the deadline; the engine was told to stop.
 * - `Invalid`: the engine will never answer this: SQL, names or types that it does not take.
 * - `TooLarge`: more rows than allowed, or more memory than the engine has.
 * - `Missing`: there is nothing to ask: no tables yet, or a warehouse that no events go to. `message` says what to set or to
 *   wait for, and anyone may read it.
 * `message` is safe to show to an operator: it holds no connection string and no value of a parameter of ours.
 */
export class QueryError extends Schema.TaggedError<QueryError>()("QueryError", {
  reason: Schema.Literals(["Unavailable", "Timeout", "Invalid", "TooLarge", "Missing"]),
  message: Schema.String
}) {}

/** Rows of an answer that nobody limited: some tens of megabytes in this process. */
export const MAX_ROWS = 100_000

/** Runs questions where the events are. Nothing that it runs changes anything. */
export class QueryEngine extends Context.Service<
  QueryEngine,
  {
    readonly dialect: QueryDialect
    /** Ends within the engine's deadline. Interrupting it ends the question in the engine, too. */
    readonly run: (question: Question) => Effect.Effect<QueryAnswer, QueryError>
  }
>()("footfall/ports/QueryEngine") {}

/** Whole digits as a number where that is exact, else as a bigint. */
export const integerOf = (value: number | bigint | string): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : BigInt(value)
}

const DAY_MICROS = 86_400_000_000n

/** Micros since 1970 as in `2026-03-28T22:50:00.123456`, to which an instant adds its `Z`. Null for what no date can hold. */
export const isoMicros = (micros: bigint): string | null => {
  const days = micros / DAY_MICROS - (micros % DAY_MICROS < 0n ? 1n : 0n)
  const rest = micros - days * DAY_MICROS
  const date = new Date(Number(days) * 86_400_000 + Number(rest / 1_000n))
  if (Number.isNaN(date.getTime())) return null
  return `${date.toISOString().slice(0, -1)}${String(rest % 1_000n).padStart(3, "0")}`
}

/** Of a question and an engine's own limit: how many rows may come. */
export const rowLimit = (question: Question, limit = MAX_ROWS): number => Math.min(question.maxRows ?? limit, limit)

export const tooManyRows = (limit: number): QueryError =>
  new QueryError({ reason: "TooLarge", message: `The answer has more than ${limit} rows. Ask for fewer.` })

export const tookTooLong = (milliseconds: number): QueryError =>
  new QueryError({
    reason: "Timeout",
    message: `No answer within ${milliseconds / 1_000} s. Ask for a shorter range, or set WAREHOUSE_TIMEOUT_SECONDS.`
  })
