/** An integer that a double cannot represent has at least 16 digits. */
const LONG_NUMBER = /\d{16}/
const INTEGER = /^-?\d+$/

type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown

/** `JSON.parse`, except that integers beyond ±(2^53 - 1) become bigints. */
export const parseJson = (json: string): unknown => {
  if (!LONG_NUMBER.test(json)) return JSON.parse(json)
  const exact: Reviver = (_, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && INTEGER.test(source)
      ? BigInt(source)
      : value
  return JSON.parse(json, exact as (key: string, value: unknown) => unknown)
}
