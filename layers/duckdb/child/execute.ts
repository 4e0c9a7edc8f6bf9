import type { DuckDBConnection, DuckDBDataChunk } from "@duckdb/node-api"
import {
  type Query,
  type QueryChunk,
  QueryError,
  type QueryParameter,
  type QueryResult,
  type QueryValue,
  tooManyRows
} from "../../../src/ports/QueryEngine.ts"
import { converterOf, typeOf } from "../values.ts"
import { adaptModule } from "./adaptModule.ts"

/** `StatementType.SELECT` of DuckDB's module, which is loaded later. */
const SELECT = 1
/** How much of DuckDB's message is quoted in an error. */
const MESSAGE_LENGTH = 500

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** The first line of a DuckDB error, which continues with explanations on further lines. */
export const firstLineOf = (cause: unknown): string => messageOf(cause).split("\n", 1)[0]!.slice(0, MESSAGE_LENGTH)

/** DuckDB's messages begin with the kind of the error, which it does not report in any other way. */
const REASONS: ReadonlyArray<readonly [RegExp, QueryError["reason"]]> = [
  [/^Out of Memory/i, "TooLarge"],
  [/^(Out of Range|Overflow)/i, "OutOfRange"],
  [/^Conversion Error: .*out of range/i, "OutOfRange"],
  [/^INTERRUPT/i, "Timeout"],
  [/^(IO|HTTP|Connection|Missing Extension|Fatal|Internal)/i, "Unavailable"]
]

/** What a query's failure means. */
const queryFailure = (cause: unknown): QueryError =>
  cause instanceof QueryError
    ? cause
    : new QueryError({
        reason: REASONS.find(([kind]) => kind.test(messageOf(cause)))?.[1] ?? "Invalid",
        message: `DuckDB: ${messageOf(cause).slice(0, MESSAGE_LENGTH)}`
      })

/** Works on a connection of its own, which a signal interrupts. Fails with a `QueryError`, when DuckDB has finished. */
export const onOwnConnection = async <A>(
  connect: () => Promise<DuckDBConnection>,
  signal: AbortSignal,
  work: (connection: DuckDBConnection) => Promise<A>
): Promise<A> => {
  const connection = await connect()
  const interrupt = () => connection.interrupt()
  signal.addEventListener("abort", interrupt)
  try {
    return await work(connection)
  } catch (cause) {
    throw queryFailure(cause)
  } finally {
    signal.removeEventListener("abort", interrupt)
    // A result that was not read to its end may still be at work. Nothing else of the connection is.
    connection.interrupt()
    connection.closeSync()
  }
}

/** The SQL casts each value to its type. */
const toBound = (parameter: QueryParameter): string | boolean | bigint =>
  parameter.type === "integer" ? BigInt(parameter.value) : parameter.value

export interface ExecuteOptions {
  readonly query: Query
  readonly maxRows: number
  readonly signal: AbortSignal
  /** Gets the chunks in order, each after the promise of the one before. */
  readonly onChunk: (chunk: QueryChunk) => Promise<void> | void
}

/** The rows of a chunk, read column by column, which is quicker than row by row. */
const rowsOf = (
  chunk: DuckDBDataChunk,
  converters: ReadonlyArray<ReturnType<typeof converterOf>>
): ReadonlyArray<ReadonlyArray<QueryValue>> => {
  const count = chunk.rowCount
  const rows = Array.from({ length: count }, () => new Array<QueryValue>(converters.length).fill(null))
  for (const [column, convert] of converters.entries()) {
    const vector = chunk.getColumnVector(column)
    for (let index = 0; index < count; index++) {
      const value = vector.getItem(index)
      if (value !== null) rows[index]![column] = convert(value)
    }
  }
  return rows
}

/** Runs a SELECT, and passes its rows on as DuckDB produces them; a result without rows is one chunk without rows. */
export const execute = async (
  connection: DuckDBConnection,
  { maxRows, onChunk, query, signal }: ExecuteOptions
): Promise<void> => {
  await adaptModule()
  const statement = await connection.prepare(query.sql)
  if (statement.statementType !== SELECT) {
    throw new QueryError({ reason: "Invalid", message: "DuckDB: only SELECT statements are allowed." })
  }
  statement.bind(query.parameters.map(toBound))
  signal.throwIfAborted()
  const result = await statement.stream()
  const types = result.columnTypes()
  const columns = result.columnNames().map((name, index) => ({ name, type: typeOf(types[index]!) }))
  const converters = types.map(converterOf)
  let count = 0
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    signal.throwIfAborted()
    count += chunk.rowCount
    if (count > maxRows) throw tooManyRows(maxRows)
    await onChunk({ columns, rows: rowsOf(chunk, converters) })
  }
  if (count === 0) await onChunk({ columns, rows: [] })
}

/** Runs a SELECT and collects its rows. */
export const collect = async (
  connection: DuckDBConnection,
  options: Omit<ExecuteOptions, "onChunk">
): Promise<QueryResult> => {
  let columns: QueryResult["columns"] = []
  const rows: Array<QueryResult["rows"][number]> = []
  await execute(connection, {
    ...options,
    onChunk: (chunk) => {
      columns = chunk.columns
      for (const row of chunk.rows) rows.push(row)
    }
  })
  return { columns, rows }
}
