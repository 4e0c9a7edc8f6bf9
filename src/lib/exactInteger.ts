/** An integer as a number where a double represents it exactly, else as a bigint. */
export const exactInteger = (value: number | bigint | string): number | bigint => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : BigInt(value)
}
