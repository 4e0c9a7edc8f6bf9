const VALUES = Int8Array.from({ length: 128 }, (_, code) =>
  "0123456789abcdef".indexOf(String.fromCharCode(code).toLowerCase())
)

/** The value of a hexadecimal digit, given its character code; -1 if it is not one. */
export const hexDigit = (code: number): number => (code < 128 ? VALUES[code]! : -1)
