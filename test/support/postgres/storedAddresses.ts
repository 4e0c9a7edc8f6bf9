import type { Database } from "./database.ts"

/** Every row of every table that contains the string in any column of any type. For an IP address, there should be no such row. */
export const rowsHolding = async (database: Database, text: string): Promise<ReadonlyArray<string>> => {
  const tables = await database.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
  )
  const found: Array<string> = []
  for (const { name } of tables) {
    // A row as text includes every column; bytes are hexadecimal digits.
    const rows = await database.query<{ row: string }>(
      `SELECT each::text AS row FROM ${name} AS each WHERE position($1 IN each::text) > 0 OR position(encode(convert_to($1, 'UTF8'), 'hex') IN each::text) > 0`,
      [text]
    )
    found.push(...rows.map(({ row }) => `${name}: ${row}`))
  }
  if (tables.length < 5) throw new Error(`only ${tables.length} tables were looked at`)
  return found
}
