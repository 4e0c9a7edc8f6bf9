import type { TableMetadata } from "../iceberg/metadata/TableMetadata.ts"

/*
 * How far a collector's log is in a table: a table property that is set by the commit that brings the rows, so that both are
 * there or neither. It outlives the snapshot, whose summary tells the same to whoever looks at a snapshot.
 */

const PREFIX = "footfall.watermark."
/** A spool that has added nothing for this long is considered gone, and its watermark is removed. */
const MAX_AGE_MS = 90 * 86_400_000

/** The property of a log. */
export const watermarkKey = (logId: string): string => `${PREFIX}${logId}`

export interface Watermark {
  readonly logId: string
  /** A position in the log: every record up to it is in the table. */
  readonly position: number
  /** When it was set, in ms since the epoch; 0 when it does not say. */
  readonly setAt: number
}

/** `12345 2026-11-24T12:00:00.000Z`. */
export const watermarkText = (position: number, now: number): string => `${position} ${new Date(now).toISOString()}`

const parse = (logId: string, text: string): Watermark => {
  const [position = "", time = ""] = text.split(" ")
  return { logId, position: Number(position), setAt: Date.parse(time) || 0 }
}

/** That of a log; at 0 when the table knows nothing of it. */
export const readWatermark = ({ properties }: TableMetadata, logId: string): Watermark =>
  parse(logId, properties[watermarkKey(logId)] ?? "0")

/** 0 for a log that the table knows nothing of. */
export const watermarkOf = (metadata: TableMetadata, logId: string): number => readWatermark(metadata, logId).position

export const watermarks = ({ properties }: TableMetadata): ReadonlyArray<Watermark> =>
  Object.entries(properties).flatMap(([key, text]) =>
    key.startsWith(PREFIX) ? [parse(key.slice(PREFIX.length), text)] : []
  )

/** The properties of spools that are gone: the `staleProperties` of Iceberg's `expireSnapshots`. */
export const staleWatermarks = (metadata: TableMetadata, now: number): ReadonlyArray<string> =>
  watermarks(metadata)
    .filter(({ setAt }) => setAt !== 0 && setAt < now - MAX_AGE_MS)
    .map(({ logId }) => watermarkKey(logId))
