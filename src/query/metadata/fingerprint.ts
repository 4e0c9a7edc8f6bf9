import type { FieldStats } from "../../domain/FieldStats.ts"
import type { SemanticType } from "./views.ts"

/** Metabase's fingerprint of a field, with the most frequent values. */
export interface Fingerprint {
  readonly global: {
    readonly "distinct-count": number
    readonly "nil%": number | null
    /** Present and true if there may be more values than the sample has. */
    readonly approx?: true
  }
  readonly type?: Readonly<Record<string, Readonly<Record<string, number | string | null>>>>
  readonly top: ReadonlyArray<{ readonly value: string | number | boolean; readonly count: number }>
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

const typeOf = ({ number, text, time }: FieldStats): Pick<Fingerprint, "type"> => {
  if (text !== null) {
    const { email, json, length, rows, state, url } = text
    return {
      type: {
        "type/Text": {
          "percent-json": share(json, rows),
          "percent-url": share(url, rows),
          "percent-email": share(email, rows),
          "percent-state": share(state, rows),
          "average-length": share(length, rows)
        }
      }
    }
  }
  if (number !== null) {
    const { max, min, q1, q3, rows, squares, sum } = number
    return {
      type: {
        "type/Number": { min, q1, q3, max, avg: sum / rows, sd: rows < 2 ? null : Math.sqrt(squares / (rows - 1)) }
      }
    }
  }
  return time === null ? {} : { type: { "type/DateTime": { earliest: time.earliest, latest: time.latest } } }
}

export const fingerprintOf = (stats: FieldStats): Fingerprint => ({
  global: {
    "distinct-count": stats.distinct,
    "nil%": stats.rows === 0 ? null : stats.nulls / stats.rows,
    ...(stats.isPartial && { approx: true as const })
  },
  ...typeOf(stats),
  top: stats.top.map(([value, count]) => ({ value, count }))
})

/** Metabase's threshold: nearly all values look like it. */
const NEARLY_ALL = 0.95
/** Strings with at most this many different values are categories. */
const CATEGORY_VALUES = 30

/** What the values of a field look like; null if like nothing in particular. It only fills in where nothing else is known. */
export const inferredSemanticType = ({ distinct, text }: FieldStats): SemanticType | null => {
  if (text === null || text.rows === 0) return null
  if (text.url / text.rows >= NEARLY_ALL) return "URL"
  if (text.email / text.rows >= NEARLY_ALL) return "Email"
  if (text.json / text.rows >= NEARLY_ALL) return "SerializedJSON"
  if (text.state / text.rows >= NEARLY_ALL) return "State"
  return distinct <= CATEGORY_VALUES ? "Category" : null
}
