/** Why a question was refused. Codes of the public contract; `forbidden` is 403, all others are 400. */
export type FqlErrorCode =
  | "bad-ast"
  | "unknown-field"
  | "ambiguous-field"
  | "type-mismatch"
  | "bad-timezone"
  | "bad-unit"
  | "several-currencies"
  | "limit-exceeded"
  | "cycle"
  | "unsupported-on-backend"
  | "out-of-range"
  | "not-found"
  | "forbidden"

/** A question that cannot be asked. `pointer` is a JSON pointer into the question; `detail` is a whole sentence for people. */
export class FqlError extends Error {
  readonly _tag = "FqlError"
  readonly code: FqlErrorCode
  readonly pointer: string
  readonly detail: string
  constructor(code: FqlErrorCode, pointer: string, detail: string) {
    super(detail)
    this.code = code
    this.pointer = pointer
    this.detail = detail
  }
}

/** A JSON pointer to a value below another. */
export const below = (pointer: string, ...keys: ReadonlyArray<string | number>): string =>
  keys.reduce<string>((at, key) => `${at}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`, pointer)
