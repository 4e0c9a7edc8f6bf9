/** Conditions on one field: its dimension comes first, then constants. */
export const FIELD_CONDITIONS: ReadonlyArray<string> = [
  ...["=", "!=", "<", "<=", ">", ">=", "between", "contains", "does-not-contain", "starts-with", "ends-with"],
  ...["is-null", "not-null", "is-empty", "not-empty", "matches", "does-not-match", "wildcard"]
]

/** Conditions on a time that name a span. */
export const INTERVAL_CONDITIONS: ReadonlyArray<string> = ["time-interval", "relative-time-interval"]
