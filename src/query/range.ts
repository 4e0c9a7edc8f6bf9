/** The times that ISO 8601 writes with a four-digit year and that every engine accepts: years 1 to 9999, in ms since 1970. */
const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999

/** An invalid end of a range. */
export interface RangeIssue {
  readonly end: "from" | "until"
  readonly message: string
}

/** What is invalid about a range from `from` up to, but not including, `until`, in ms since 1970. */
export const rangeIssues = (from: number, until: number): ReadonlyArray<RangeIssue> => {
  const outside = (
    [
      ["from", from],
      ["until", until]
    ] as const
  ).flatMap(([end, ms]) =>
    ms >= FIRST_MS && ms <= LAST_MS ? [] : { end, message: "The time is not within the years 1 to 9999." }
  )
  return outside.length === 0 && from >= until
    ? [{ end: "until", message: "The range ends before it begins." }]
    : outside
}

/** A time in ms since 1970 as the value of a `timestamp` parameter. */
export const timestampOf = (ms: number): string => new Date(ms).toISOString()
