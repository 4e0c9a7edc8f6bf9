const VALUES = Int8Array.from({ length: 128 }, (_, code) =>
  "0123456789abcdef".indexOf(String.fromCharCode(code).toLowerCase())
)

/** The value of a hexadecimal digit by its character code, -1 for anything else. */
export const hexDigit = (code: number): number => (code < 128 ? VALUES[code]! : -1)
