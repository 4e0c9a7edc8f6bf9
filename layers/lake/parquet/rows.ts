import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import type { PartitionValue } from "../../iceberg/manifest/DataFile.ts"
import { dayOf } from "../../iceberg/metadata/dayTransform.ts"
import {
  ATTRIBUTE_CREATED_AT,
  EVENT_SITE,
  EVENT_TIME,
  isEvent,
  type LakeRecord,
  type Row,
  SESSION_CREATED_AT
} from "../records.ts"
import type { LakeTable } from "../schema.ts"
import { type Column, makeColumn } from "./columns.ts"

export const DAY_MS = 86_400_000

/** Rows of one partition of a table, as columns. */
export class Rows {
  count = 0
  readonly table: LakeTable
  readonly partition: ReadonlyArray<PartitionValue>
  readonly columns: ReadonlyArray<Column<unknown>>

  constructor(table: LakeTable, partition: ReadonlyArray<PartitionValue>) {
    this.table = table
    this.partition = partition
    this.columns = table.fields.map((field) => makeColumn(field) as Column<unknown>)
  }

  /** Missing values at the end are null. */
  push(row: Row): void {
    const columns = this.columns
    for (let index = 0; index < columns.length; index++) columns[index]!.push(row[index] ?? null)
    this.count++
  }

  /** Size of the buffers. */
  bytes(): number {
    let sum = 0
    for (const column of this.columns) sum += column.bytes()
    return sum
  }
}

/** Whether a table still needs a record's rows. */
export type NeedsRows = (table: LakeTableName) => boolean

/** Rows of the lake's tables, grouped by partition. */
export class PartitionedRows {
  readonly #tables: Readonly<Record<LakeTableName, LakeTable>>
  readonly #partitions = new Map<string, Rows>()
  readonly #onDay: (day: number) => void
  count = 0

  /** `onDay` is called with the day of each partition that is opened, in days since the epoch. */
  constructor(tables: Readonly<Record<LakeTableName, LakeTable>>, onDay: (day: number) => void = () => {}) {
    this.#tables = tables
    this.#onDay = onDay
  }

  #push(name: LakeTableName, partition: ReadonlyArray<PartitionValue>, row: Row): void {
    const key = `${name} ${partition}`
    let rows = this.#partitions.get(key)
    if (rows === undefined) {
      rows = new Rows(this.#tables[name], partition)
      this.#partitions.set(key, rows)
      this.#onDay(partition[0] as number)
    }
    rows.push(row)
    this.count++
  }

  add(record: LakeRecord, needsRows: NeedsRows): void {
    if (isEvent(record)) {
      const [, event, session] = record
      if (needsRows("pa_events")) {
        this.#push("pa_events", [dayOf(event[EVENT_TIME] as number), event[EVENT_SITE] as string], event)
      }
      if (session !== null) this.#addSession(session, needsRows)
      return
    }
    const [, session, attributes] = record
    this.#addSession(session, needsRows)
    if (!needsRows("pa_session_data")) return
    for (const row of attributes) this.#push("pa_session_data", [dayOf(row[ATTRIBUTE_CREATED_AT] as number)], row)
  }

  #addSession(row: Row, needsRows: NeedsRows): void {
    if (needsRows("pa_sessions")) this.#push("pa_sessions", [dayOf(row[SESSION_CREATED_AT] as number)], row)
  }

  /** The rows of each partition. */
  all(): IterableIterator<Rows> {
    return this.#partitions.values()
  }

  /** Size of the buffers. */
  bytes(): number {
    let sum = 0
    for (const rows of this.#partitions.values()) sum += rows.bytes()
    return sum
  }
}
