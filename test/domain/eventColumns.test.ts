import { expect, setDefaultTimeout, test } from "bun:test"
import { Effect } from "effect"
import { decodeRecord, encodeEvent } from "../../layers/lake/records.ts"
import { PA_EVENTS } from "../../layers/lake/schema.ts"
import { EVENT_COLUMN_LIST, type EventColumn } from "../../src/domain/eventColumns.ts"
import { event } from "../support/collect/records.ts"
import { run } from "../support/postgres/controlPlane.ts"
import { emptiedDatabase, openStorage } from "../support/postgres/pgStorage.ts"
import { openClient } from "../support/postgres/postgres.ts"

// The first test waits for the server to start.
setDefaultTimeout(180_000)

/** How Postgres describes a column. */
interface Described {
  readonly column_name: string
  readonly data_type: string
  readonly character_maximum_length: number | null
  readonly numeric_precision: number | null
  readonly numeric_scale: number | null
  readonly is_nullable: "YES" | "NO"
}

const TABLE = `SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable
  FROM information_schema.columns WHERE table_name = 'product_analytics_event' ORDER BY ordinal_position`
const ROW_TYPE = `SELECT attname AS column_name, format_type(atttypid, atttypmod) AS data_type
  FROM pg_attribute WHERE attrelid = 'product_analytics_event_row'::regclass AND attnum > 0 ORDER BY attnum`

const described = <A>(statement: string) =>
  run(
    Effect.gen(function* () {
      const sql = yield* openClient(yield* emptiedDatabase)
      return (yield* sql.unsafe(statement)) as unknown as ReadonlyArray<A>
    })
  )

const inTable = (column: EventColumn): Described => ({
  column_name: column.column,
  data_type: {
    time: "timestamp with time zone",
    uuid: "uuid",
    smallint: "smallint",
    string: "character varying",
    decimal: "numeric"
  }[column.kind],
  character_maximum_length: column.kind === "string" ? column.size : null,
  numeric_precision: column.kind === "decimal" ? column.precision : column.kind === "smallint" ? 16 : null,
  numeric_scale: column.kind === "decimal" ? column.scale : column.kind === "smallint" ? 0 : null,
  is_nullable: column.nullable ? "YES" : "NO"
})

test("the event table of Postgres has exactly the columns of EVENT_COLUMNS, with their kinds and sizes", async () => {
  expect(await described<Described>(TABLE)).toEqual(EVENT_COLUMN_LIST.map(([, column]) => inTable(column)))
})

test("the row type that batches are sent as has the columns of EVENT_COLUMNS in the same order", async () => {
  const types = {
    time: "timestamp with time zone",
    uuid: "uuid",
    smallint: "smallint",
    string: "text",
    decimal: "text"
  }
  expect(await described(ROW_TYPE)).toEqual(
    EVENT_COLUMN_LIST.map(([, { column, kind }]) => ({ column_name: column, data_type: types[kind] }))
  )
})

test("the lake's event table has every column of EVENT_COLUMNS, with its kind", () => {
  const types = { time: "timestamptz", uuid: "string", smallint: "int", string: "string", decimal: "decimal(19, 4)" }
  const lakeName = (column: string) => (column === "created_at" ? "event_time" : column)
  const inLake = new Map(PA_EVENTS.fields.map(({ name, required, type }) => [name, { required, type }]))
  for (const [, { column, kind, nullable }] of EVENT_COLUMN_LIST) {
    expect([column, inLake.get(lakeName(column))]).toEqual([column, { required: !nullable, type: types[kind] }])
    inLake.delete(lakeName(column))
  }
  // What the lake adds: when the event was received, and its properties as a map.
  expect([...inLake.keys()]).toEqual(["received_at", "properties"])
})

const uuidOf = (index: number) => `0190a0b0-c0d0-7abc-8def-${String(index).padStart(12, "0")}`
const CREATED_AT = Date.UTC(2026, 10, 28, 12)

/** A different value in every column, which its column's name makes recognizable. */
const VALUES: ReadonlyArray<readonly [field: string, column: string, value: string | number]> = EVENT_COLUMN_LIST.map(
  ([field, { column, kind }], index) => {
    if (kind === "time") return [field, column, CREATED_AT]
    if (kind === "uuid") return [field, column, uuidOf(index)]
    if (kind === "smallint") return [field, column, 2]
    return [field, column, kind === "decimal" ? index + 0.5 : column]
  }
)
const distinctEvent = event(Object.fromEntries(VALUES.map(([field, , value]) => [field, value])))

test("an event stored in Postgres has the value of each field in its own column", () =>
  run(
    Effect.gen(function* () {
      const url = yield* emptiedDatabase
      const storage = yield* openStorage(url)
      yield* storage.saveEvent(distinctEvent)
      const sql = yield* openClient(url)
      const [row] = yield* sql.unsafe<Record<string, unknown>>("SELECT * FROM product_analytics_event")
      const inRow = (value: unknown) =>
        value instanceof Date ? value.getTime() : /^\d+\.\d+$/.test(String(value)) ? Number(value) : value
      expect(VALUES.map(([, column]) => [column, inRow(row![column])])).toEqual(
        VALUES.map(([, column, value]) => [column, value])
      )
    })
  ))

test("an event in the spool of the lake has the value of each field in the position of its column", () => {
  const decoded = decodeRecord(new TextEncoder().encode(encodeEvent(distinctEvent, null, CREATED_AT)))
  const row = decoded![1] as ReadonlyArray<unknown>
  const position = (column: string) =>
    PA_EVENTS.fields.findIndex(({ name }) => name === (column === "created_at" ? "event_time" : column))
  expect(VALUES.map(([, column]) => [column, row[position(column)]])).toEqual(
    VALUES.map(([, column, value]) => [column, value])
  )
})
