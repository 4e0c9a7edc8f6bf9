/** Digits of the largest position, 2^53. */
const DIGITS = 16
const NAME = new RegExp(`^(\\d{${DIGITS}})\\.log$`)

/** The file that holds the records from a position up to the start of the next file. */
export const segmentName = (start: number): string => `${String(start).padStart(DIGITS, "0")}.log`

/** The start positions of the segments among these files, in order. */
export const segmentStarts = (names: ReadonlyArray<string>): ReadonlyArray<number> =>
  names
    .flatMap((name) => {
      const digits = NAME.exec(name)?.[1]
      return digits === undefined ? [] : [Number(digits)]
    })
    .sort((a, b) => a - b)

/** A file that will be the next segment. */
export const PREPARED = "next.tmp"
/** The spool's permanent id. */
export const ID_FILE = "spool-id"
/** The position up to which the spool was trimmed. */
export const TRIMMED_FILE = "trimmed"
export const LOCK_FILE = "lock"

/** Whether a folder's name is that of a spool: `0`, `1` and so on. */
export const isSpoolName = (name: string): boolean => /^\d+$/.test(name)
