/** Keys of 63-bit ids. Their values are always bigint, whatever their size, so that they compare with `===`. */
const LONG_KEYS: ReadonlySet<string> = new Set(["snapshot-id", "current-snapshot-id", "parent-snapshot-id"])

const INTEGER = /^-?\d+$/

/**
 * Parses JSON without losing 64-bit integers: snapshot ids become bigint, and so does any other integer that a double cannot
 * represent. Throws `SyntaxError`.
 */
export const parseJson = (json: string): unknown =>
  JSON.parse(json, function (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) {
    if (typeof value !== "number") return value
    const source = context?.source
    if (source === undefined || !INTEGER.test(source)) return value
    return LONG_KEYS.has(key) || !Number.isSafeInteger(value) ? BigInt(source) : value
  } as (key: string, value: unknown) => unknown)

interface RawJson {
  readonly rawJSON: (json: string) => unknown
}

/** Writes bigints as integers. */
export const stringifyJson = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) =>
    typeof member === "bigint" ? (JSON as unknown as RawJson).rawJSON(member.toString()) : member
  )
