import { Result, Schema } from "effect"
import type { LakeTableName } from "../../src/ports/LakeAdmin.ts"
import type { Table } from "../iceberg/catalog/Catalog.ts"
import { MAX_WATERMARK_AGE_MS, readWatermark } from "./watermark.ts"

/*
 * What the lake's tables had of a spool after its last flush. A table that has less of it later was rolled back, together with the
 * catalog: its database was restored, or its pointer was moved.
 */

const TableReceipt = Schema.Struct({
  uuid: Schema.String,
  /** The table's watermark of the spool. */
  position: Schema.Number,
  /** When it was set, in ms since the epoch. */
  setAt: Schema.Number
})
type TableReceipt = typeof TableReceipt.Type
const Receipt = Schema.fromJsonString(Schema.Record(Schema.String, TableReceipt))

/** By table. Tables without rows of the spool are missing. */
export type Receipt = Readonly<Record<string, TableReceipt>>

/** A receipt that is damaged, or that another destination wrote, says nothing. */
export const readReceipt = (receipt: string | null): Receipt =>
  receipt === null ? {} : Result.getOrElse(Schema.decodeUnknownResult(Receipt)(receipt), () => ({}))

export const formatReceipt = (receipt: Receipt): string => JSON.stringify(receipt)

/** What a table has of a spool; null if nothing. */
export const receiptOf = ({ metadata }: Table, spoolId: string): TableReceipt | null => {
  const { position, setAt } = readWatermark(metadata, spoolId)
  return position === 0 ? null : { uuid: metadata["table-uuid"], position, setAt }
}

/**
 * Whether a table has less of a spool than it had. A watermark that was moved back for a spool that was rolled back itself is younger than
 * the receipt, and one that is gone because of its age is older than any that is removed.
 */
export const wasRolledBack = (
  receipt: Receipt,
  name: LakeTableName,
  { metadata }: Table,
  spoolId: string,
  now: number
): boolean => {
  const had = receipt[name]
  if (had === undefined || had.uuid !== metadata["table-uuid"]) return false
  const { position, setAt } = readWatermark(metadata, spoolId)
  if (position >= had.position || setAt > had.setAt) return false
  return setAt !== 0 || had.setAt > now - MAX_WATERMARK_AGE_MS
}
