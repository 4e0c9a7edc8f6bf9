/** A string as a literal of standard SQL. */
export const sqlLiteral = (value: string): string => `'${value.replaceAll("'", "''")}'`
