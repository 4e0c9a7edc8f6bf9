/** Columns of a visit that are its visitor's. */
export const VISITOR_COLUMNS = ["country", "device", "browser", "os"] as const

/** The column of a visit that says when its visitor was recorded. */
export const VISITOR_CREATED_AT = "visitor_created_at"

/**
 * What a visit stores about its visitor as text, under the visitor's own names. Regions and cities are not among them: where a site has none, which
 * is usual, DuckDB plans a question that asks for them so badly that it takes 700 ms instead of 10.
 */
export const TEXT_OF_VISITOR = [...VISITOR_COLUMNS, "screen", "language", "distinct_id"] as const

/** What a visit stores about its visitor: the visit's column and the visitor's. */
export const OF_VISITOR: ReadonlyArray<readonly [string, string]> = [
  ...TEXT_OF_VISITOR.map((name) => [name, name] as const),
  [VISITOR_CREATED_AT, "created_at"]
]
