/*
 * Numbers about a table that every engine can compute and that do not depend on the order of rows, so that engines that read
 * the same rows agree exactly. Integers of any size are decimal strings; decimals have all the digits of their scale.
 *
 * - string: how many values are not null; the sum of their lengths in code points; `digest`, the sum of the numbers that the
 *   first 7 hexadecimal digits of each MD5(UTF-8) form. 28 bits, so that the sum of 33 million stays below 2^53.
 * - number: how many values are not null; exact sum, minimum and maximum. Timestamps count as microseconds since 1970 UTC,
 *   dates as days, booleans as 0 and 1, decimals as themselves.
 * - map of strings: how many maps are not null; how many entries they have; how many of those have a null value; the sum of the
 *   values' lengths in code points; `digest`, as above, of `key=value`, or of `key` for a null value.
 */

export interface StringNumbers {
  readonly kind: "string"
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
  /** Null for an engine that does not distinguish a null map from an empty one (ClickHouse). */
  readonly nonNull: number | null
  readonly entries: number
  readonly nullValues: number
  readonly codePoints: string
  readonly digest: string
}

export type ColumnNumbers = StringNumbers | NumberNumbers | MapNumbers

export interface TableNumbers {
  readonly rows: number
  /** Distinct values of the id column. */
  readonly distinctIds: number
  readonly columns: Readonly<Record<string, ColumnNumbers>>
}

/** Where two engines disagree, a sentence each. Numbers that one of them cannot compute are left out. */
export const differences = (
  first: readonly [engine: string, numbers: TableNumbers],
  second: readonly [engine: string, numbers: TableNumbers]
): ReadonlyArray<string> => {
  const sentences: Array<string> = []
  const compare = (what: string, a: unknown, b: unknown) => {
    if (a !== b) sentences.push(`${what} is ${a ?? "nothing"} in ${first[0]} and ${b ?? "nothing"} in ${second[0]}`)
  }
  compare("rows", first[1].rows, second[1].rows)
  compare("distinctIds", first[1].distinctIds, second[1].distinctIds)
  for (const name of new Set([...Object.keys(first[1].columns), ...Object.keys(second[1].columns)])) {
    const a: Readonly<Record<string, unknown>> = { ...first[1].columns[name] }
    const b: Readonly<Record<string, unknown>> = { ...second[1].columns[name] }
    for (const measure of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const isUnknown = measure === "nonNull" && (a[measure] === null || b[measure] === null)
      if (!isUnknown) compare(`${name}.${measure}`, a[measure], b[measure])
    }
  }
  return sentences
}
