import type { TableMetadata } from "../iceberg/metadata/TableMetadata.ts"

/*
 * How far a table has a spool: a table property, `footfall.watermark.<spool id>`, that the commit that adds the rows also sets, so
 * that both are applied or neither. The snapshot's summary repeats it, for those who inspect snapshots.
 */

const PREFIX = "footfall.watermark."
/** A spool that has added nothing for this long is considered gone, and its watermark is removed. */
export const MAX_WATERMARK_AGE_MS = 90 * 86_400_000

export const watermarkKey = (spoolId: string): string => `${PREFIX}${spoolId}`

export interface Watermark {
  readonly spoolId: string
  /** Every record of the spool up to this position is in the table. */
  readonly position: number
  /** When it was set, in ms since the epoch; 0 if unknown. */
  readonly setAt: number
}

/** `12345 2026-11-24T12:00:00.000Z`. */
export const formatWatermark = (position: number, now: number): string => `${position} ${new Date(now).toISOString()}`

const parse = (spoolId: string, value: string): Watermark => {
  const [position = "", time = ""] = value.split(" ")
  return { spoolId, position: Number(position), setAt: Date.parse(time) || 0 }
}

/** The spool's watermark; at 0 if the table has none. */
export const readWatermark = ({ properties }: TableMetadata, spoolId: string): Watermark =>
  parse(spoolId, properties[watermarkKey(spoolId)] ?? "0")

export const watermarkOf = (metadata: TableMetadata, spoolId: string): number =>
  readWatermark(metadata, spoolId).position

const watermarks = ({ properties }: TableMetadata): ReadonlyArray<Watermark> =>
  Object.entries(properties).flatMap(([key, value]) =>
    key.startsWith(PREFIX) ? [parse(key.slice(PREFIX.length), value)] : []
  )

/** The properties of spools that are gone: the `staleProperties` of Iceberg's `expireSnapshots`. */
export const staleWatermarks = (metadata: TableMetadata, now: number): ReadonlyArray<string> =>
  watermarks(metadata)
    .filter(({ setAt }) => setAt !== 0 && setAt < now - MAX_WATERMARK_AGE_MS)
    .map(({ spoolId }) => watermarkKey(spoolId))
