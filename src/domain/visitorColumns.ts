/** Columns of a visit that are its visitor's. */
export const VISITOR_COLUMNS = ["country", "device", "browser", "os"] as const

/** The column of a visit that says when its visitor was recorded. */
export const VISITOR_CREATED_AT = "visitor_created_at"
