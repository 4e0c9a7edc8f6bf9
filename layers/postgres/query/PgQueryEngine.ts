import { PgTypes } from "@effect/sql-pg"
import { Cause, Effect, Layer, Predicate, Result, Schema, Stream } from "effect"
import type { SqlClient, SqlConnection, SqlError } from "effect/sql"
import type { StartError } from "../../../src/domain/StartError.ts"
import { deadline } from "../../../src/lib/deadline.ts"
import { exactInteger } from "../../../src/lib/exactInteger.ts"
import { isoMicros } from "../../../src/lib/isoMicros.ts"
import { makeRemaining } from "../../../src/lib/remaining.ts"
import {
  type AsOf,
  type Query,
  type QueryChunk,
  QueryEngine,
  QueryError,
  type QueryResult,
  type QueryType,
  type QueryValue,
  rowLimit,
  streamedTooLong,
  tookTooLong,
  tooManyRows
} from "../../../src/ports/QueryEngine.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { EXPORT_TIMEOUT_SECONDS, WAREHOUSE_TIMEOUT_SECONDS } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { makeClient } from "../client/makeClient.ts"
import { sqlCode, sqlMessage, toStartError } from "../client/sqlErrors.ts"
import { prepareReader, READER } from "./readerRole.ts"

/** How many queries run at the same time. Each may use a whole core, and the event writer needs some. */
const CONNECTIONS = 4
/** Exports hold a connection for minutes, so they have a pool of their own. */
const EXPORT_CONNECTIONS = 2
/** Rows that an export reads at a time: a few megabytes. */
const FETCH_ROWS = 2_000
/** The maintenance of partitions waits up to 2 s for a lock, and queries wait behind it. Only a migration holds one longer than this. */
const LOCK_TIMEOUT = "5s"
/** The server cancels a statement this much before our deadline, since its own error says more. */
const SERVER_MARGIN_MS = 250
/** The maximum of `statement_timeout`. */
const MAX_STATEMENT_TIMEOUT_MS = 2_147_483_647

const { OID } = PgTypes
/** 2000-01-01, Postgres' epoch, in microseconds since 1970. */
const EPOCH_MICROS = 946_684_800_000_000n

const timestampCodec = (zone: "Z" | ""): PgTypes.Codec<string> => ({
  encode: () => Result.fail(new PgTypes.CodecError({ message: "Timestamps are sent as strings." })),
  decode: (bytes) => {
    const micros = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0) + EPOCH_MICROS
    const iso = isoMicros(micros)
    // Only infinity has no date.
    return Result.succeed(iso === null ? (micros > 0n ? "infinity" : "-infinity") : `${iso}${zone}`)
  }
})

/** Instead of the driver's codecs, which truncate timestamps to milliseconds. */
const typeRegistry = (): PgTypes.Registry => {
  const registry = PgTypes.makeRegistry()
  registry.register(OID.timestamptz, timestampCodec("Z"))
  registry.register(OID.timestamp, timestampCodec(""))
  return registry
}

const TYPES: ReadonlyMap<number, QueryType> = new Map<number, QueryType>([
  [OID.text, "text"],
  [OID.varchar, "text"],
  [OID.bpchar, "text"],
  [OID.uuid, "text"],
  [OID.name, "text"],
  [OID.bool, "boolean"],
  [OID.date, "date"],
  [OID.int2, "integer"],
  [OID.int4, "integer"],
  [OID.int8, "integer"],
  [OID.numeric, "decimal"],
  [OID.float4, "float"],
  [OID.float8, "float"],
  [OID.timestamptz, "timestamp"],
  [OID.timestamp, "timestamp"]
])

const toValue = (type: QueryType, value: unknown): QueryValue => {
  if (value === null || value === undefined) return null
  if (type === "integer") return exactInteger(value as number | bigint)
  if (type === "float" || type === "boolean") return value as number | boolean
  return Predicate.isObject(value) ? JSON.stringify(value) : String(value)
}

/** The driver's raw result. */
const RawResult = Schema.Struct({
  fields: Schema.Array(Schema.Struct({ name: Schema.String, dataTypeId: Schema.Number })),
  rows: Schema.Array(Schema.Record(Schema.String, Schema.Unknown))
})

/** By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const reasonOf = (code: string): QueryError["reason"] => {
  if (code === "57014") return "Timeout"
  // numeric_value_out_of_range, datetime_field_overflow, interval_field_overflow
  if (/^(22003|22008|22015)/.test(code)) return "OutOfRange"
  if (/^(42|22|0A|21|25006)/.test(code)) return "Invalid"
  if (/^(54|53200|53400)/.test(code)) return "TooLarge"
  return "Unavailable"
}

const failure = (error: SqlError.SqlError): QueryError =>
  new QueryError({ reason: reasonOf(sqlCode(error)), message: `Postgres: ${sqlMessage(error)}` })

const startError = (error: SqlError.SqlError) =>
  toStartError(error, `Can't query the app database: ${sqlMessage(error)}.`)

/** The settings of a query's transaction: read-only, limited in time, as the reader if that role is available. */
const restrictions = (deadlineMs: number, isReader: boolean): string => {
  const timeoutMs = Math.min(Math.max(deadlineMs - SERVER_MARGIN_MS, 1), MAX_STATEMENT_TIMEOUT_MS)
  // An export whose reader has stopped reading keeps its transaction open no longer than its deadline.
  return `SELECT set_config('transaction_read_only', 'on', true),
    set_config('statement_timeout', '${timeoutMs}', true),
    set_config('idle_in_transaction_session_timeout', '${timeoutMs}', true), set_config('lock_timeout', '${LOCK_TIMEOUT}', true),
    set_config('timezone', 'UTC', true)${isReader ? `, set_config('role', '${READER}', true)` : ""}`
}

const toResult = ({ fields, rows }: typeof RawResult.Type): QueryResult => {
  const columns = fields.map(({ dataTypeId, name }) => ({ name, type: TYPES.get(dataTypeId) ?? "other" }))
  return { columns, rows: rows.map((row) => columns.map(({ name, type }) => toValue(type, row[name]))) }
}

// The SQL casts each parameter. As numbers, the driver would choose a narrower type for integers.
const parametersOf = (query: Query): ReadonlyArray<string | boolean> =>
  query.parameters.map(({ value }) => (typeof value === "boolean" ? value : String(value)))

const runQuery = (sql: SqlClient.SqlClient, query: Query, restrict: string): Effect.Effect<QueryResult, QueryError> => {
  const limit = rowLimit(query)
  const limited = `SELECT * FROM (${query.sql}\n) AS query LIMIT ${limit + 1}`
  return sql.withTransaction(Effect.andThen(sql.unsafe(restrict), sql.unsafe(limited, parametersOf(query)).raw)).pipe(
    Effect.mapError(failure),
    Effect.flatMap((raw) => Effect.orDie(Schema.decodeUnknownEffect(RawResult)(raw))),
    Effect.flatMap((result) =>
      result.rows.length > limit ? Effect.fail(tooManyRows(limit)) : Effect.succeed(toResult(result))
    )
  )
}

const runOn = (connection: SqlConnection.Connection, statement: string, parameters: ReadonlyArray<unknown> = []) =>
  Effect.mapError(connection.executeRaw(statement, parameters), failure)

/** Fetches the next rows of the cursor. */
const fetchRows = (connection: SqlConnection.Connection, cursor: string): Effect.Effect<QueryResult, QueryError> =>
  runOn(connection, `FETCH ${FETCH_ROWS} FROM ${cursor}`).pipe(
    Effect.flatMap((raw) => Effect.orDie(Schema.decodeUnknownEffect(RawResult)(raw))),
    Effect.map(toResult)
  )

let cursors = 0

/** Reads a query's rows with a cursor, in a transaction that ends with the stream. */
const streamQuery = (
  sql: SqlClient.SqlClient,
  query: Query,
  restrict: string,
  { deadlineMs, spentMs = 0 }: { readonly deadlineMs: number; readonly spentMs: number | undefined }
): Stream.Stream<QueryChunk, QueryError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      // The driver remembers the columns of a statement by its text, so each cursor has a name of its own.
      const cursor = `export_${++cursors}`
      const remaining = yield* makeRemaining(deadlineMs - spentMs)
      const inTime = <A>(effect: Effect.Effect<A, QueryError>) =>
        deadline({ duration: remaining(), orElse: () => Effect.fail(streamedTooLong(deadlineMs)) })(effect)
      const connection = yield* Effect.mapError(sql.reserve, failure)
      yield* Effect.acquireRelease(inTime(runOn(connection, "BEGIN")), () =>
        Effect.ignore(runOn(connection, "ROLLBACK"))
      )
      yield* inTime(runOn(connection, restrict))
      yield* inTime(runOn(connection, `DECLARE ${cursor} NO SCROLL CURSOR FOR ${query.sql}\n`, parametersOf(query)))
      const limit = query.maxRows ?? Number.POSITIVE_INFINITY
      let count = 0
      let isOver = false
      const pull = Effect.gen(function* () {
        if (isOver) return yield* Cause.done()
        const chunk = yield* inTime(fetchRows(connection, cursor))
        const isFirst = count === 0
        count += chunk.rows.length
        isOver = chunk.rows.length < FETCH_ROWS
        if (count > limit) return yield* tooManyRows(limit)
        return chunk.rows.length > 0 || isFirst ? ([chunk] as const) : yield* Cause.done()
      })
      return Stream.fromPull(Effect.succeed(pull))
    })
  )

/**
 * Which transactions are visible, which changes with each that writes. The server's start also covers a restored database, in which
 * numbers of transactions are used again.
 */
const AS_OF = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
  concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), pg_current_snapshot()) AS version`

/**
 * Queries the views of the app database, on connections of its own: read-only, within the deadline, and as a role that can read
 * nothing else. If the migrations could not create that role, as the application's.
 */
export const layer: Layer.Layer<QueryEngine, StartError, AppDatabase | Settings> = Layer.effect(
  QueryEngine,
  Effect.gen(function* () {
    const app = yield* AppDatabase
    const { get } = yield* Settings
    const deadlineMs = get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000
    const reader = yield* Effect.mapError(prepareReader(app), startError)
    const isReader = reader._tag === "Ready"
    if (!isReader) {
      yield* Effect.logWarning(
        `Queries run as the application's own role: ${reader.problem}. An administrator can run: ${reader.remedy}`
      )
    }
    const exportDeadlineMs = get(EXPORT_TIMEOUT_SECONDS) * 1_000
    const openPool = (maxConnections: number) =>
      makeClient(app.endpoint, {
        applicationName: "footfall",
        session: {},
        types: typeRegistry(),
        minConnections: 0,
        maxConnections
      })
    const sql = yield* openPool(CONNECTIONS)
    const exports = yield* openPool(EXPORT_CONNECTIONS)
    const restrict = restrictions(deadlineMs, isReader)
    const restrictExport = restrictions(exportDeadlineMs, isReader)
    const late = deadline({ duration: deadlineMs, orElse: () => Effect.fail(tookTooLong(deadlineMs)) })
    return QueryEngine.of({
      dialect: "postgres",
      model: "postgres",
      run: (query) => late(runQuery(sql, query, restrict)),
      stream: (query, spentMs) =>
        streamQuery(exports, query, restrictExport, { deadlineMs: exportDeadlineMs, spentMs }),
      asOf: late(Effect.mapBoth(sql.unsafe<AsOf>(AS_OF), { onFailure: failure, onSuccess: ([row]) => row! }))
    })
  })
)
