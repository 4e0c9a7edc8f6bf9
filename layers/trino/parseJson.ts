/** A whole number that a double may not hold has 16 digits or more. */
const LONG_NUMBER = /\d{16}/
const WHOLE = /^-?\d+$/

type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown

/** JSON with whole numbers beyond ±(2^53 - 1) as bigints; everything else as `JSON.parse` has it. */
export const parseJson = (text: string): unknown => {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text)
  const exact: Reviver = (_, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && WHOLE.test(source)
      ? BigInt(source)
      : value
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown)
}
