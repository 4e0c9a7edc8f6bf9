import { PgClient, PgTypes } from "@effect/sql-pg"
import { Effect, Layer, Predicate, Result, Schema } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import { StartError } from "../../../src/domain/StartError.ts"
import { deadline } from "../../../src/lib/deadline.ts"
import {
  integerOf,
  isoMicros,
  QueryEngine,
  QueryError,
  type QueryType,
  type QueryValue,
  rowLimit,
  tookTooLong,
  tooManyRows
} from "../../../src/ports/QueryEngine.ts"
import { Settings } from "../../../src/ports/Settings.ts"
import { WAREHOUSE_TIMEOUT_SECONDS } from "../../../src/settings/settings.ts"
import { AppDatabase } from "../client/Database.ts"
import { sqlCode, sqlMessage } from "../client/sqlErrors.ts"

/** Questions at a time; more wait. Each may keep a core busy, and the events' writer wants some. */
const CONNECTIONS = 4
/** A question takes no lock that anyone holds for long: longer is a migration at work. */
const LOCK_TIMEOUT = "1s"
/** May read the views and nothing else; made by the migrations where they may make roles. */
const READER = "footfall_reader"
/** The server ends a statement a little before we stop waiting for it: its own word is the better one. */
const EARLY_MS = 250
const LARGEST_INTERVAL_MS = 2_147_483_647

const { OID } = PgTypes
/** 2000-01-01, from which PostgreSQL counts, in micros since 1970. */
const EPOCH_MICROS = 946_684_800_000_000n

const instant = (zone: "Z" | ""): PgTypes.Codec<string> => ({
  encode: () => Result.fail(new PgTypes.CodecError({ message: "Instants are given as texts." })),
  decode: (bytes) => {
    const micros = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0) + EPOCH_MICROS
    const text = isoMicros(micros)
    // Infinity, which has no date.
    return Result.succeed(text === null ? (micros > 0n ? "infinity" : "-infinity") : `${text}${zone}`)
  }
})

/** The driver's own instants are cut to milliseconds. */
const types = (): PgTypes.Registry => {
  const registry = PgTypes.makeRegistry()
  registry.register(OID.timestamptz, instant("Z"))
  registry.register(OID.timestamp, instant(""))
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
  if (type === "integer") return integerOf(value as number | bigint)
  if (type === "float" || type === "boolean") return value as number | boolean
  return Predicate.isObject(value) ? JSON.stringify(value) : String(value)
}

/** What the driver tells of a statement besides its rows. */
const RawAnswer = Schema.Struct({
  fields: Schema.Array(Schema.Struct({ name: Schema.String, dataTypeId: Schema.Number })),
  rows: Schema.Array(Schema.Record(Schema.String, Schema.Unknown))
})

/** By class of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const reasonOf = (code: string): QueryError["reason"] => {
  if (code === "57014") return "Timeout"
  if (/^(42|22|0A|21|25006)/.test(code)) return "Invalid"
  if (/^(54|53200|53400)/.test(code)) return "TooLarge"
  return "Unavailable"
}

const failure = (error: SqlError.SqlError): QueryError =>
  new QueryError({ reason: reasonOf(sqlCode(error)), message: `Postgres: ${sqlMessage(error)}` })

const CAN_BE_READER = `SELECT EXISTS (
  SELECT FROM pg_roles WHERE rolname = '${READER}'
  AND pg_has_role(current_user, oid, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
) AS yes`

/**
 * Questions to the views of the app database, on connections of their own: read-only, as a role that can read nothing else,
 * each within the deadline. Where nobody could make that role, they run as the application's.
 */
export const layer: Layer.Layer<QueryEngine, StartError, AppDatabase | Settings> = Layer.effect(
  QueryEngine,
  Effect.gen(function* () {
    const app = yield* AppDatabase
    const { get } = yield* Settings
    const deadlineMs = get(WAREHOUSE_TIMEOUT_SECONDS) * 1_000
    const startError = (error: SqlError.SqlError) =>
      new StartError({ message: `The app database can't be asked: ${sqlMessage(error)}.` })
    const isReader = (yield* Effect.mapError(app.unsafe<{ yes: boolean }>(CAN_BE_READER), startError))[0]?.yes === true
    if (!isReader) {
      yield* Effect.logWarning(
        `There is no role ${READER} that we may be; questions run as the application's own role.`
      )
    }
    const sql = yield* PgClient.make({
      ...app.config,
      types: types(),
      minConnections: 0,
      maxConnections: CONNECTIONS
    }).pipe(Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make), Effect.mapError(startError))

    const statementMs = Math.min(Math.max(deadlineMs - EARLY_MS, 1), LARGEST_INTERVAL_MS)
    const restrict = `SELECT set_config('transaction_read_only', 'on', true),
      set_config('statement_timeout', '${statementMs}', true), set_config('lock_timeout', '${LOCK_TIMEOUT}', true),
      set_config('timezone', 'UTC', true)${isReader ? `, set_config('role', '${READER}', true)` : ""}`

    return QueryEngine.of({
      dialect: "postgres",
      run: (question) => {
        const limit = rowLimit(question)
        // Integers as texts, for the SQL names every parameter's type and the driver would pick a narrower one.
        const parameters = question.parameters.map(({ value }) => (typeof value === "boolean" ? value : String(value)))
        const limited = `SELECT * FROM (${question.sql}\n) AS question LIMIT ${limit + 1}`
        const answer = sql
          .withTransaction(Effect.andThen(sql.unsafe(restrict), sql.unsafe(limited, parameters).raw))
          .pipe(
            Effect.mapError(failure),
            Effect.flatMap((raw) => Effect.orDie(Schema.decodeUnknownEffect(RawAnswer)(raw))),
            Effect.flatMap(({ fields, rows }) => {
              if (rows.length > limit) return Effect.fail(tooManyRows(limit))
              const columns = fields.map(({ dataTypeId, name }) => ({ name, type: TYPES.get(dataTypeId) ?? "other" }))
              return Effect.succeed({
                columns,
                rows: rows.map((row) => columns.map(({ name, type }) => toValue(type, row[name])))
              })
            })
          )
        return answer.pipe(deadline({ duration: deadlineMs, orElse: () => Effect.fail(tookTooLong(deadlineMs)) }))
      }
    })
  })
)
