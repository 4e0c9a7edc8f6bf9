/** The instants that ISO 8601 writes with four digits of a year, and that every engine takes: years 1 to 9999, ms since 1970. */
const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999

/** One wrong end of a range, in a sentence. */
export interface RangeIssue {
  readonly end: "from" | "until"
  readonly message: string
}

/** What is wrong with a range that begins with `from` and ends before `until`, in ms since 1970. */
export const rangeIssues = (from: number, until: number): ReadonlyArray<RangeIssue> => {
  const outside = (
    [
      ["from", from],
      ["until", until]
    ] as const
  ).flatMap(([end, ms]) =>
    ms >= FIRST_MS && ms <= LAST_MS ? [] : { end, message: "The instant is not within the years 1 to 9999." }
  )
  return outside.length === 0 && from >= until
    ? [{ end: "until", message: "The range ends before it begins." }]
    : outside
}

/** An instant as parameters of questions have it. */
export const instantOf = (ms: number): string => new Date(ms).toISOString()
