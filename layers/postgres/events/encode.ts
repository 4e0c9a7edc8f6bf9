import { PgTypes } from "@effect/sql-pg"
import { Result } from "effect"
import type { EventRecord, Property, SessionRecord } from "../../../src/domain/Event.ts"
import { EVENT_COLUMN_LIST } from "../../../src/domain/eventColumns.ts"
import { hexDigit } from "../../../src/lib/hexDigit.ts"

/*
 * Encodes records as the row types of migrations/0005_rows.sql, in Postgres' binary format. A composite value is its number of columns,
 * followed by each column: its type's OID, its length in bytes (-1 for null), its bytes. They are written directly into the message
 * that the driver sends.
 */

type Sink = Parameters<NonNullable<PgTypes.Codec<never>["write"]>>[0]

const { OID } = PgTypes
const NULL = -1
const TIME_BYTES = 8
const UUID_BYTES = 16
const SMALLINT_BYTES = 2

/** The error that the server would report for a value that has no binary form. */
const invalidValue = (code: string, message: string) => Object.assign(new PgTypes.CodecError({ message }), { code })

const text = (sink: Sink, value: string | null): void => {
  sink.int32(OID.text)
  if (value === null) sink.int32(NULL)
  else {
    const length = sink.beginLength()
    sink.utf8(value)
    sink.endLength(length)
  }
}

/** A number for a decimal column, sent as a string: a binary float would lose digits. NaN and infinities become null, as in JSON. */
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

/** The range of JavaScript's dates, in ms from 1970. Postgres stores all of it. */
const MAX_DATE_MS = 8.64e15

/** A time in ms since 1970; NaN becomes null. Microseconds have more digits than a number, so they are computed in two halves. */
const time = (sink: Sink, value: number | null): void => {
  sink.int32(OID.timestamptz)
  if (value === null || Number.isNaN(value)) {
    sink.int32(NULL)
    return
  }
  if (Math.abs(value) > MAX_DATE_MS) throw invalidValue("22008", "a time is out of range")
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

const invalidId = () => invalidValue("22P02", "an id is not a UUID")

/** The 16 bits of four hexadecimal digits. */
const parseHex16 = (value: string, at: number): number => {
  let word = 0
  for (let index = at; index < at + 4; index++) {
    const digit = hexDigit(value.charCodeAt(index))
    if (digit < 0) throw invalidId()
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
    throw invalidId()
  }
  sink.int32(OID.uuid)
  sink.int32(UUID_BYTES)
  sink.int32((parseHex16(value, 0) << 16) | parseHex16(value, 4))
  sink.int32((parseHex16(value, 9) << 16) | parseHex16(value, 14))
  sink.int32((parseHex16(value, 19) << 16) | parseHex16(value, 24))
  sink.int32((parseHex16(value, 28) << 16) | parseHex16(value, 32))
}

/** The number of columns of each row type. The server rejects rows with another number. */
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

/** A property and its event. */
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

/** An attribute, its session, and the time it was set. */
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
  encode: () => Result.fail(new PgTypes.CodecError({ message: "Rows can only be written into a message." })),
  decode: () => Result.fail(new PgTypes.CodecError({ message: "Rows cannot be read." })),
  write: (sink, row) => {
    write(sink, row)
    return Result.void
  }
})

/** By the row type's name. */
export const ROW_CODECS = {
  product_analytics_session_row: codecOf(sessionRow),
  product_analytics_session_data_row: codecOf(sessionDataRow),
  product_analytics_event_row: codecOf(eventRow),
  product_analytics_event_data_row: codecOf(eventDataRow)
}
