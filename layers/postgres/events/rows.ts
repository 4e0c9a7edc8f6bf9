import { type PgClient, PgTypes } from "@effect/sql-pg"
import { Effect, Result } from "effect"
import type { SqlError } from "effect/sql"
import type { EventRecord, Property, SessionRecord } from "../../../src/domain/Event.ts"
import { EVENT_COLUMN_LIST } from "../../../src/domain/eventColumns.ts"
import { hexDigit } from "../../../src/lib/hexDigit.ts"
import { sqlCode } from "../client/sqlErrors.ts"

/*
 * Rows as migrations/0005_rows.sql declares them, in Postgres' binary form: of a composite value its number of columns, then of
 * each column its type, the length of its bytes (-1 for null) and these. They are written straight into the message that is sent.
 */

type Sink = Parameters<NonNullable<PgTypes.Codec<never>["write"]>>[0]

const { OID } = PgTypes
const NULL = -1
const TIME_BYTES = 8
const UUID_BYTES = 16
const SMALLINT_BYTES = 2

/** What the server would say of a value that has no binary form. */
const refused = (code: string, message: string) => Object.assign(new PgTypes.CodecError({ message }), { code })

const text = (sink: Sink, value: string | null): void => {
  sink.int32(OID.text)
  if (value === null) sink.int32(NULL)
  else {
    const length = sink.beginLength()
    sink.utf8(value)
    sink.endLength(length)
  }
}

/** A number as a decimal, for a column that is one: as a binary float it would lose digits. What is none is null, as in JSON. */
const decimal = (sink: Sink, value: number | null): void =>
  text(sink, value === null || !Number.isFinite(value) ? null : String(value))

const smallint = (sink: Sink, value: number): void => {
  sink.int32(OID.int2)
  sink.int32(SMALLINT_BYTES)
  sink.int16(value)
}

/** 2000-01-01, from which Postgres counts microseconds. */
const EPOCH = Date.UTC(2000)
const WORD = 2 ** 32

/** The farthest from 1970 that JavaScript's dates go; Postgres has as many years. */
const FARTHEST = 8.64e15

/** A time in ms since 1970, null when it is none. Microseconds have more digits than a number, so they are made in two halves. */
const time = (sink: Sink, value: number | null): void => {
  sink.int32(OID.timestamptz)
  if (value === null || Number.isNaN(value)) {
    sink.int32(NULL)
    return
  }
  if (Math.abs(value) > FARTHEST) throw refused("22008", "a time is out of range")
  sink.int32(TIME_BYTES)
  const ms = Math.round(value) - EPOCH
  const high = Math.floor(ms / WORD)
  const low = (ms - high * WORD) * 1_000
  const carried = Math.floor(low / WORD)
  sink.int32((high * 1_000 + carried) | 0)
  sink.int32((low - carried * WORD) | 0)
}

const DASH = 45
const UUID_LENGTH = 36

const wrongId = () => refused("22P02", "an id is not a UUID")

/** Four hexadecimal digits of a text. */
const quarter = (value: string, at: number): number => {
  let word = 0
  for (let index = at; index < at + 4; index++) {
    const digit = hexDigit(value.charCodeAt(index))
    if (digit < 0) throw wrongId()
    word = (word << 4) | digit
  }
  return word
}

const isDash = (value: string, at: number): boolean => value.charCodeAt(at) === DASH

const uuid = (sink: Sink, value: string): void => {
  if (
    value.length !== UUID_LENGTH ||
    !isDash(value, 8) ||
    !isDash(value, 13) ||
    !isDash(value, 18) ||
    !isDash(value, 23)
  ) {
    throw wrongId()
  }
  sink.int32(OID.uuid)
  sink.int32(UUID_BYTES)
  sink.int32((quarter(value, 0) << 16) | quarter(value, 4))
  sink.int32((quarter(value, 9) << 16) | quarter(value, 14))
  sink.int32((quarter(value, 19) << 16) | quarter(value, 24))
  sink.int32((quarter(value, 28) << 16) | quarter(value, 32))
}

/** Columns of each type: the server refuses a row that has not as many. */
const SESSION_COLUMNS = 17
const SESSION_DATA_COLUMNS = 8
const EVENT_COLUMN_COUNT = EVENT_COLUMN_LIST.length
const EVENT_DATA_COLUMNS = 10

const sessionRow = (sink: Sink, row: SessionRecord): void => {
  sink.int32(SESSION_COLUMNS)
  time(sink, row.createdAt)
  uuid(sink, row.id)
  uuid(sink, row.siteId)
  text(sink, row.distinctId)
  text(sink, row.browser)
  text(sink, row.os)
  text(sink, row.device)
  text(sink, row.screen)
  text(sink, row.language)
  text(sink, row.country)
  text(sink, row.region)
  text(sink, row.city)
  text(sink, row.firstPath)
  text(sink, row.firstReferrerDomain)
  text(sink, row.firstUtmSource)
  text(sink, row.firstUtmMedium)
  text(sink, row.firstUtmCampaign)
}

const eventRow = (sink: Sink, row: EventRecord): void => {
  sink.int32(EVENT_COLUMN_COUNT)
  time(sink, row.createdAt)
  uuid(sink, row.id)
  uuid(sink, row.siteId)
  uuid(sink, row.sessionId)
  uuid(sink, row.visitId)
  smallint(sink, row.type)
  text(sink, row.name)
  text(sink, row.tag)
  text(sink, row.hostname)
  text(sink, row.urlPath)
  text(sink, row.urlQuery)
  text(sink, row.pageTitle)
  text(sink, row.referrerPath)
  text(sink, row.referrerQuery)
  text(sink, row.referrerDomain)
  text(sink, row.utmSource)
  text(sink, row.utmMedium)
  text(sink, row.utmCampaign)
  text(sink, row.utmContent)
  text(sink, row.utmTerm)
  text(sink, row.gclid)
  text(sink, row.fbclid)
  text(sink, row.msclkid)
  text(sink, row.ttclid)
  text(sink, row.liFatId)
  text(sink, row.twclid)
  decimal(sink, row.lcp)
  decimal(sink, row.inp)
  decimal(sink, row.fcp)
  decimal(sink, row.ttfb)
  decimal(sink, row.cls)
  decimal(sink, row.revenue)
  text(sink, row.currency)
}

/** A property with the event that it is of. */
export interface EventData {
  readonly event: EventRecord
  readonly property: Property
}

const eventDataRow = (sink: Sink, { event, property }: EventData): void => {
  sink.int32(EVENT_DATA_COLUMNS)
  time(sink, event.createdAt)
  uuid(sink, event.id)
  uuid(sink, event.siteId)
  uuid(sink, event.sessionId)
  time(sink, property.date)
  smallint(sink, property.type)
  text(sink, event.name)
  text(sink, property.key)
  text(sink, property.string)
  decimal(sink, property.number)
}

/** An attribute with the session that it is of, and when it was given. */
export interface SessionData {
  readonly session: SessionRecord
  readonly property: Property
  readonly createdAt: number
}

const sessionDataRow = (sink: Sink, { createdAt, property, session }: SessionData): void => {
  sink.int32(SESSION_DATA_COLUMNS)
  time(sink, createdAt)
  uuid(sink, session.id)
  uuid(sink, session.siteId)
  time(sink, property.date)
  smallint(sink, property.type)
  text(sink, property.key)
  text(sink, property.string)
  decimal(sink, property.number)
}

const codecOf = <A>(write: (sink: Sink, row: A) => void): PgTypes.Codec<A> => ({
  encode: () => Result.fail(new PgTypes.CodecError({ message: "Rows are written into a message." })),
  decode: () => Result.fail(new PgTypes.CodecError({ message: "Rows are not read." })),
  write: (sink, row) => {
    write(sink, row)
    return Result.void
  }
})

const CODECS = {
  product_analytics_session_row: codecOf(sessionRow),
  product_analytics_session_data_row: codecOf(sessionDataRow),
  product_analytics_event_row: codecOf(eventRow),
  product_analytics_event_data_row: codecOf(eventDataRow)
}

type RowType = keyof typeof CODECS
type RowOf<T extends RowType> = (typeof CODECS)[T] extends PgTypes.Codec<infer A> ? A : never

/** An array of rows as the parameter of a statement. */
export type RowParameter = <T extends RowType>(type: T, rows: ReadonlyArray<RowOf<T>>) => PgTypes.Parameter

/** What a server says of a type whose number it does not know, or that is another one's. */
const WRONG_TYPE_CODES = ["42704", "42804", "XX000"]

const FIND_TYPES = `SELECT name, oid::int8::float8 AS "row", typarray::int8::float8 AS "array"
  FROM unnest($1::text[]) AS name JOIN pg_type ON oid = name::regtype`

interface Found {
  readonly name: RowType
  readonly row: number
  readonly array: number
}

/**
 * The numbers that a database has given the types of rows. They are asked for once, and again when the server does not know
 * them: it is another one then, restored from a dump in the place of the one that had them.
 */
export const makeRowTypes = (sql: PgClient.PgClient) => {
  const registry = sql.config.types
  if (registry === undefined) throw new Error("The client of a writer needs a registry of types.")
  let known: RowParameter | null = null
  const find: Effect.Effect<RowParameter, SqlError.SqlError> = Effect.map(
    sql.unsafe<Found>(FIND_TYPES, [Result.getOrThrow(PgTypes.array(Object.keys(CODECS), OID.text))]),
    (found) => {
      const numbers = new Map(found.map(({ name, row }) => [name, row]))
      for (const { array, name, row } of found) {
        registry.register(row, CODECS[name] as PgTypes.Codec<unknown>, { arrayOid: array })
      }
      known = (type, rows) => Result.getOrThrow(PgTypes.array(rows, numbers.get(type)!, registry))
      return known
    }
  )
  return {
    /** Runs a statement that has rows for parameters. */
    use: (
      run: (parameter: RowParameter) => Effect.Effect<unknown, SqlError.SqlError>
    ): Effect.Effect<unknown, SqlError.SqlError> =>
      known === null
        ? Effect.flatMap(find, run)
        : Effect.catchIf(
            run(known),
            (error) => WRONG_TYPE_CODES.includes(sqlCode(error)),
            () => Effect.flatMap(find, run)
          )
  }
}
