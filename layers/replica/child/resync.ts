import { sqlLiteral } from "../../../src/lib/sqlLiteral.ts"
import type { Store } from "./Store.ts"

/** Rows of a site with a time from `from` up to, but not including, `until`, both in UTC without a zone; null leaves that end open. */
export interface Range {
  readonly siteId: string
  readonly from: string | null
  readonly until: string | null
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The range as conditions in Postgres (`source`) and in the file (`file`). */
export const rangeCondition = ({ from, siteId, until }: Range) => {
  if (!UUID.test(siteId)) throw new Error("a site's id is not a UUID")
  const bound = (operator: string, time: string | null, cast: string) =>
    time === null ? "" : ` AND created_at ${operator} ${cast}${sqlLiteral(time)}`
  const infinite = (time: string | null) => (time === "infinity" || time === "-infinity" ? null : time)
  const [first, last] = [infinite(from), infinite(until)]
  return {
    source: `site_id = '${siteId}'${bound(">=", first && `${first}Z`, "TIMESTAMPTZ ")}${bound("<", last && `${last}Z`, "TIMESTAMPTZ ")}`,
    file: `site = (SELECT site FROM site WHERE site_id = '${siteId}')${bound(">=", first, "TIMESTAMP ")}${bound("<", last, "TIMESTAMP ")}`
  }
}

/** Deletes a range's rows. What they were is in `removed`: site, session, time and id. */
export const removeRange = async (store: Store, range: Range): Promise<void> => {
  const { file } = rangeCondition(range)
  await store.run(`CREATE OR REPLACE TEMP TABLE removed AS
    SELECT site, session, created_at, event_id FROM event WHERE ${file} AND event_type <> 5`)
  for (const table of [...store.eventTables, "event_data", "session_data"]) {
    await store.run(`DELETE FROM ${table} WHERE ${file}`)
  }
  // The numbers of sessions stay: events outside of the range have them.
  await store.run(
    `CREATE OR REPLACE TEMP TABLE forgotten AS SELECT session, session_id, site FROM session WHERE ${file}`
  )
  await store.run("DELETE FROM session WHERE session IN (SELECT session FROM forgotten)")
  await store.run(
    "INSERT INTO session (session, session_id, site, known) SELECT session, session_id, site, false FROM forgotten"
  )
}

/** Deletes sessions that Postgres does not know and that no row has any more, and paths that no event has. */
export const forgetUnused = async (store: Store): Promise<void> => {
  await store.run(`DELETE FROM session WHERE NOT known
    AND session NOT IN (SELECT session FROM event) AND session NOT IN (SELECT session FROM session_data)`)
  await store.run("DELETE FROM path WHERE path NOT IN (SELECT path FROM event WHERE path IS NOT NULL)")
}
