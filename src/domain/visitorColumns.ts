/** Columns of a visit that are its visitor's. */
export const VISITOR_COLUMNS = ["country", "device", "browser", "os"] as const
