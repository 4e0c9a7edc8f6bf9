import { PgTypes } from "@effect/sql-pg"
import { Effect, Layer, Predicate, Result, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { StartError } from "../../../src/domain/StartError.ts"
import { deadline } from "../../../src/lib/deadline.ts"
import { exactInteger } from "../../../src/lib/exactInteger.ts"
import { isoMicros } from "../../../src/lib/isoMicros.ts"
import {
  type Query,
  QueryEngine,
  QueryError,
  type QueryResult,
  type QueryType,
  type QueryValue,
  rowLimit,
  tookTooLong,
  tooManyRows
} from "../../../src/ports/QueryEngine.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { WAREHOUSE_TIMEOUT_SECONDS } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { makeClient } from "../client/makeClient.ts"
import { sqlCode, sqlMessage, toStartError } from "../client/sqlErrors.ts"
import { prepareReader, READER } from "./readerRole.ts"

/** How many queries run at the same time. Each may use a whole core, and the event writer needs some. */
const CONNECTIONS = 4
/** Only a migration holds a lock that a query waits for longer than this. */
const LOCK_TIMEOUT = "1s"
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
  return `SELECT set_config('transaction_read_only', 'on', true),
    set_config('statement_timeout', '${timeoutMs}', true), set_config('lock_timeout', '${LOCK_TIMEOUT}', true),
    set_config('timezone', 'UTC', true)${isReader ? `, set_config('role', '${READER}', true)` : ""}`
}

const toResult = ({ fields, rows }: typeof RawResult.Type): QueryResult => {
  const columns = fields.map(({ dataTypeId, name }) => ({ name, type: TYPES.get(dataTypeId) ?? "other" }))
  return { columns, rows: rows.map((row) => columns.map(({ name, type }) => toValue(type, row[name]))) }
}

const runQuery = (sql: SqlClient.SqlClient, query: Query, restrict: string): Effect.Effect<QueryResult, QueryError> => {
  const limit = rowLimit(query)
  // The SQL casts each parameter. As numbers, the driver would choose a narrower type for integers.
  const parameters = query.parameters.map(({ value }) => (typeof value === "boolean" ? value : String(value)))
  const limited = `SELECT * FROM (${query.sql}\n) AS query LIMIT ${limit + 1}`
  return sql.withTransaction(Effect.andThen(sql.unsafe(restrict), sql.unsafe(limited, parameters).raw)).pipe(
    Effect.mapError(failure),
    Effect.flatMap((raw) => Effect.orDie(Schema.decodeUnknownEffect(RawResult)(raw))),
    Effect.flatMap((result) =>
      result.rows.length > limit ? Effect.fail(tooManyRows(limit)) : Effect.succeed(toResult(result))
    )
  )
}

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
    const sql = yield* makeClient(app.endpoint, {
      applicationName: "footfall",
      session: {},
      types: typeRegistry(),
      minConnections: 0,
      maxConnections: CONNECTIONS
    })
    const restrict = restrictions(deadlineMs, isReader)
    return QueryEngine.of({
      dialect: "postgres",
      run: (query) =>
        runQuery(sql, query, restrict).pipe(
          deadline({ duration: deadlineMs, orElse: () => Effect.fail(tookTooLong(deadlineMs)) })
        )
    })
  })
)
