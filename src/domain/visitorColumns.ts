/** Columns of a visit that are its visitor's. */
export const VISITOR_COLUMNS = ["country", "device", "browser", "os"] as const

/** The column of a visit that says when its visitor was recorded. */
export const VISITOR_CREATED_AT = "visitor_created_at"

/** What a visit stores about its visitor as text, under the visitor's own names. */
export const TEXT_OF_VISITOR = [...VISITOR_COLUMNS, "screen", "language", "region", "city", "distinct_id"] as const

/** What a visit stores about its visitor: the visit's column and the visitor's. */
export const OF_VISITOR: ReadonlyArray<readonly [string, string]> = [
  ...TEXT_OF_VISITOR.map((name) => [name, name] as const),
  [VISITOR_CREATED_AT, "created_at"]
]
