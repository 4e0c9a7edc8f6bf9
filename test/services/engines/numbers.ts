/*
 * Numbers of a table that every engine can compute and that don't depend on the order of rows, so that two engines that read
 * the same rows agree to the last digit. Whole numbers of any size are decimal texts; decimals have all the digits of their
 * scale.
 *
 * - text: how many are not null; the sum of their lengths in code points; `digest`, the sum over the values of the number
 *   that the first 7 hexadecimal digits of MD5(UTF-8) are. 28 bits, so that the sum of 33 million stays below 2^53.
 * - number: how many are not null; exact sum, least and greatest. Timestamps count as microseconds since 1970 UTC, dates as
 *   days, booleans as 0 and 1, decimals as themselves.
 * - map: of text to text. How many maps are not null; how many entries they have; how many of those have no value; the sum of
 *   the values' lengths in code points; `digest`, as above of `key=value`, or of `key` alone where there is no value.
 */

export interface TextNumbers {
  readonly kind: "text"
  readonly nonNull: number
  readonly codePoints: string
  readonly digest: string
}

export interface NumberNumbers {
  readonly kind: "number"
  readonly nonNull: number
  readonly sum: string | null
  readonly min: string | null
  readonly max: string | null
}

export interface MapNumbers {
  readonly kind: "map"
  /** Null from an engine for which a map that is null and an empty one are the same (ClickHouse). */
  readonly nonNull: number | null
  readonly entries: number
  readonly nullValues: number
  readonly codePoints: string
  readonly digest: string
}

export type ColumnNumbers = TextNumbers | NumberNumbers | MapNumbers

export interface TableNumbers {
  readonly rows: number
  /** Different values of the column that was named as the id. */
  readonly distinctIds: number
  readonly columns: Readonly<Record<string, ColumnNumbers>>
}

/** Where two engines disagree, a sentence each. What one of them can't tell is left out. */
export const differences = (
  one: readonly [engine: string, numbers: TableNumbers],
  other: readonly [engine: string, numbers: TableNumbers]
): ReadonlyArray<string> => {
  const sentences: Array<string> = []
  const compare = (what: string, a: unknown, b: unknown) => {
    if (a !== b) sentences.push(`${what} is ${a ?? "nothing"} in ${one[0]} and ${b ?? "nothing"} in ${other[0]}`)
  }
  compare("rows", one[1].rows, other[1].rows)
  compare("distinctIds", one[1].distinctIds, other[1].distinctIds)
  for (const name of new Set([...Object.keys(one[1].columns), ...Object.keys(other[1].columns)])) {
    const a: Readonly<Record<string, unknown>> = { ...one[1].columns[name] }
    const b: Readonly<Record<string, unknown>> = { ...other[1].columns[name] }
    for (const measure of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const cantTell = measure === "nonNull" && (a[measure] === null || b[measure] === null)
      if (!cantTell) compare(`${name}.${measure}`, a[measure], b[measure])
    }
  }
  return sentences
}
