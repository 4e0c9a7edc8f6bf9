import { applySessionData, applySessions } from "./apply.ts"
import { exportedColumns, type Reader } from "./Source.ts"
import type { Store } from "./Store.ts"
import { STAGED_SESSION, STAGED_SESSION_DATA } from "./schema.ts"

/** Ids in the list of a statement: each takes 39 bytes. */
const LIST_IDS = 5_000

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The ids in lists of at most `LIST_IDS`, as the items of an array in SQL. They come from a database, and still must look like ids. */
const lists = (ids: Iterable<string>): ReadonlyArray<string> => {
  const checked = [...ids]
  for (const id of checked) if (!UUID.test(id)) throw new Error("the id of a session is not a UUID")
  const parts: Array<string> = []
  for (let start = 0; start < checked.length; start += LIST_IDS) {
    parts.push(
      checked
        .slice(start, start + LIST_IDS)
        .map((id) => `'${id}'`)
        .join(", ")
    )
  }
  return parts
}

/** Reads what is known of sessions. Within a transaction of the store, as everything here. */
const applySessionsOf = async (store: Store, reader: Reader, ids: Iterable<string>): Promise<void> => {
  for (const items of lists(ids)) {
    const path = store.segment("sessions")
    const bytes = await reader.copy(
      `SELECT ${exportedColumns(STAGED_SESSION)} FROM product_analytics_session WHERE session_id = ANY (ARRAY[${items}]::uuid[])`,
      path
    )
    if (bytes === 0) continue
    await store.stage("staged_session", STAGED_SESSION, path)
    await applySessions(store)
  }
}

/** Reads the sessions of the staged events that are not known, or that may begin earlier now. After `ensureKeys`. */
export const applyUnknownSessions = async (store: Store, reader: Reader): Promise<void> => {
  const rows = await store.rows("SELECT session_id::VARCHAR FROM numbered WHERE NOT known OR moment < created_at")
  await applySessionsOf(
    store,
    reader,
    rows.map(([id]) => String(id))
  )
}

/** Reads sessions and their attributes, which an identify may have changed. */
export const applyIdentified = async (store: Store, reader: Reader, ids: ReadonlySet<string>): Promise<void> => {
  await applySessionsOf(store, reader, ids)
  for (const items of lists(ids)) {
    const path = store.segment("session_data")
    const bytes = await reader.copy(
      `SELECT ${exportedColumns(STAGED_SESSION_DATA)} FROM product_analytics_session_data WHERE session_id = ANY (ARRAY[${items}]::uuid[])`,
      path
    )
    await store.stage("staged_session_data", STAGED_SESSION_DATA, bytes === 0 ? null : path)
    await applySessionData(store, `SELECT unnest([${items}]::UUID[])`)
  }
}
