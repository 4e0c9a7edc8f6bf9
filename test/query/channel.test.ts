import { afterAll, beforeAll, expect, test } from "bun:test"
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { EVENT_COLUMN_LIST } from "../../src/domain/eventColumns.ts"
import { sqlLiteral } from "../../src/lib/sqlLiteral.ts"
import { eventsWithChannel } from "../../src/query/channel/channel.ts"
import { event } from "../support/collect/records.ts"
import { CHANNEL_CASES } from "./channelCases.ts"

let connection: DuckDBConnection
beforeAll(async () => {
  connection = await (await DuckDBInstance.create(":memory:")).connect()
})
afterAll(() => connection.closeSync())

test("in DuckDB, the lake's events have the same channels as in Postgres", async () => {
  const columns = EVENT_COLUMN_LIST.flatMap(([field, { column, kind }]) =>
    kind === "string" ? [{ field, column }] : []
  )
  await connection.run(`CREATE TABLE pa_events (position integer, ${columns.map(({ column }) => `${column} text`)})`)
  const expected = CHANNEL_CASES.flatMap(([channel, sources]) => sources.map((source) => ({ channel, source })))
  const rows = expected.map(({ source }, position) => {
    const record: Readonly<Record<string, unknown>> = { ...event(source) }
    const values = columns.map(({ field }) => (record[field] === null ? "NULL" : sqlLiteral(String(record[field]))))
    return `(${position}, ${values})`
  })
  await connection.run(`INSERT INTO pa_events VALUES ${rows}`)
  const found = await connection.runAndReadAll(`SELECT channel FROM ${eventsWithChannel("duckdb")} ORDER BY position`)
  expect(found.getRows().map(([channel], index) => [expected[index]!.source, channel])).toEqual(
    expected.map(({ channel, source }) => [source, channel])
  )
})
