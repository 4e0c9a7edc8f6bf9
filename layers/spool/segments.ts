/** Digits of a position, of which 2^53 has 16. */
const DIGITS = 16
const NAME = new RegExp(`^(\\d{${DIGITS}})\\.log$`)

/** The file that holds the records from a position on, as far as the next file does not. */
export const segmentName = (start: number): string => `${String(start).padStart(DIGITS, "0")}.log`

/** Where the segments among these files start, in order. */
export const segmentStarts = (names: ReadonlyArray<string>): ReadonlyArray<number> =>
  names
    .flatMap((name) => {
      const digits = NAME.exec(name)?.[1]
      return digits === undefined ? [] : [Number(digits)]
    })
    .sort((a, b) => a - b)

/** A file on its way to being a segment. */
export const PREPARED = "next.tmp"
/** The log's name for ever. */
export const ID_FILE = "spool-id"
/** The position up to which the log was given up. */
export const TRIMMED_FILE = "trimmed"
export const LOCK_FILE = "lock"
