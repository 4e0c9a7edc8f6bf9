import type { RebuildProgress } from "../../../src/domain/rebuildProgress.ts"
import { PREVIOUS_IN_HOUR, PREVIOUS_IN_LATER_HOURS, REPEATED } from "../../../src/domain/repeatedVisits.ts"
import { hourOf, hourOfWeek } from "../../../src/domain/visitBuckets.ts"
import { OF_VISITOR } from "../../../src/domain/visitorColumns.ts"
import { HAS_SOURCE, SOURCE_COLUMNS } from "../../../src/query/channel/visitChannel.ts"
import { KIND, LATER_BEFORES, PREDECESSORS, previousInHours, previousVisits, SAME, VISITOR, visitsOf } from "./apply.ts"
import { inTurns } from "./inTurns.ts"
import type { Store } from "./Store.ts"
import type { ReplicaState } from "./state.ts"

/*
 * What a rebuild derives from the events once all of them are loaded: their predecessors and the visits, for some visitors at a time. Following
 * does the same for each batch, with what is there already (apply.ts), which would take twice as long here.
 */

/** Rows that are linked at a time: each takes about 100 bytes of memory, and each time takes a checkpoint of what changed. */
export const LINKED_ROWS = 2_500_000
/** The sessions are counted in so many blocks. */
const BLOCKS = 2_000
/** A row's number: that of its table, and its own in this table. */
const TABLE_BITS = 40

interface Part {
  /** The session before the first, and the last one; null if no later one has rows. */
  readonly after: number
  readonly last: number | null
  readonly rows: number
}

/** The sessions after one, in parts of about `most` rows. At least one part. */
const partsAfter = async (store: Store, after: number, most: number): Promise<ReadonlyArray<Part>> => {
  const size = Math.ceil((await store.number("SELECT max(session) FROM session")) / BLOCKS) || 1
  const counts = await store.rows(`SELECT session // ${size} AS block, count(*) FROM event WHERE session > ${after}
    GROUP BY block ORDER BY block`)
  const parts: Array<Part> = []
  let [begin, rows] = [after, 0]
  for (const [block, count] of counts.slice(0, -1)) {
    rows += Number(count)
    if (rows < most) continue
    const last = (Number(block) + 1) * size - 1
    parts.push({ after: begin, last, rows })
    begin = last
    rows = 0
  }
  return [...parts, { after: begin, last: null, rows: rows + Number(counts.at(-1)?.[1] ?? 0) }]
}

/** Makes the predecessors of a part's rows (`linked`) and its visits (`own`, with `source`, `chained` and `in_hours`). */
const derivePart = async (store: Store, { after, last }: Part): Promise<void> => {
  const isOfPart = `session > ${after}${last === null ? "" : ` AND session <= ${last}`} AND event_type <> 5`
  const fromTables = (select: (table: string, number: string) => string) =>
    store.eventTables
      .map((table, index) => select(table, `${index}::BIGINT << ${TABLE_BITS} | rowid`))
      .join(" UNION ALL ")
  const rows = fromTables(
    (
      table,
      number
    ) => `SELECT ${number} AS row_number, site, session, created_at, event_id, event_type, ${KIND} AS kind,
      ${SAME} AS same, path, channel FROM ${table} WHERE ${isOfPart}`
  )
  await store.run(
    `CREATE OR REPLACE TEMP TABLE item AS SELECT * FROM (${rows}) ORDER BY session, site, created_at, event_id`
  )
  await store.run(`CREATE OR REPLACE TEMP TABLE linked AS SELECT * FROM (
    SELECT row_number >> ${TABLE_BITS} AS origin, row_number & ((1::BIGINT << ${TABLE_BITS}) - 1) AS row_number,
      ${PREDECESSORS}
    FROM item
  ) WHERE prev_same IS NOT NULL OR prev_path IS NOT NULL`)
  await store.run(`CREATE OR REPLACE TEMP TABLE own AS ${visitsOf("SELECT rowid AS n, * FROM item")}`)
  await store.drop("item")
  const sources = fromTables(
    (table, number) =>
      `SELECT ${number} AS source_row, ${SOURCE_COLUMNS.join(", ")} FROM ${table} WHERE ${isOfPart} AND ${HAS_SOURCE}`
  )
  await store.run(`CREATE OR REPLACE TEMP TABLE source AS ${sources}`)
  // Windows take along all columns of their rows, so these have few.
  await store.run(`CREATE OR REPLACE TEMP TABLE chained AS SELECT n, ${previousVisits()},
    lag(ended_at) OVER (PARTITION BY visitor, ${hourOfWeek(hourOf("start_bucket"))} ORDER BY ended_at) AS ${PREVIOUS_IN_HOUR}
    FROM (
      SELECT own.rowid AS n, ${VISITOR("own")}, start_bucket, ended_at, ${REPEATED.join(", ")}
      FROM own LEFT JOIN source ON source.source_row = own.source_row
    )`)
  // Most visitors have only visits that end in the hour in which they start.
  await store.run(
    `CREATE OR REPLACE TEMP TABLE in_hours AS ${previousInHours(`(
    SELECT own.rowid AS number, ${VISITOR("own")}, start_bucket, end_bucket, ended_at FROM own SEMI JOIN (
      SELECT site, session FROM own WHERE ${hourOf("start_bucket")} <> ${hourOf("end_bucket")}
    ) AS longer ON longer.session = own.session AND longer.site = own.site
  )`)}`
  )
}

/** Stores what `derivePart` made. Within a transaction. */
const storePart = async (store: Store): Promise<void> => {
  for (const [index, table] of store.eventTables.entries()) {
    await store.run(`UPDATE ${table} SET prev_same = linked.prev_same, prev_path = linked.prev_path FROM linked
      WHERE origin = ${index} AND ${table}.rowid = linked.row_number`)
  }
  await store.run(`INSERT INTO visit BY NAME
    SELECT own.* EXCLUDE (source_row), source.* EXCLUDE (source_row), chained.* EXCLUDE (n, ${PREVIOUS_IN_HOUR}),
      CASE WHEN in_hours.number IS NULL THEN ${PREVIOUS_IN_HOUR} ELSE befores[1] END AS ${PREVIOUS_IN_HOUR}, ${LATER_BEFORES} AS ${PREVIOUS_IN_LATER_HOURS},
      ${OF_VISITOR.map(([column, known]) => `visitor.${known} AS ${column}`).join(", ")}
    FROM own JOIN chained ON chained.n = own.rowid LEFT JOIN in_hours ON in_hours.number = own.rowid LEFT JOIN source ON source.source_row = own.source_row
    LEFT JOIN session AS visitor ON visitor.session = own.session AND visitor.site = own.site
    ORDER BY started_at`)
}

/** Links all events that a rebuild has loaded, and makes their visits. Each part is a transaction, after which it can be resumed. */
export const linkEvents = async (
  store: Store,
  state: ReplicaState,
  onProgress: (progress: RebuildProgress) => void,
  rowsAtOnce: number
): Promise<ReplicaState> => {
  const total = await store.number("SELECT count(*) FROM event")
  const parts = await partsAfter(store, state.linkedTo!, rowsAtOnce)
  let current = state
  let linked = total - parts.reduce((sum, { rows }) => sum + rows, 0)
  onProgress({ rows: total, total, linked })
  await inTurns<Part>(store, {
    prepare: async (writer, index) => {
      const part = parts[index]
      if (part === undefined) return null
      await derivePart(writer, part)
      return part
    },
    store: async (writer, part) => {
      current = { ...current, linkedTo: part.last, version: current.version + 1 }
      await writer.transaction(async () => {
        await storePart(writer)
        await writer.writeState(current)
      })
      // After the transaction, until whose end they would take memory.
      await writer.drop("linked", "own", "source", "chained", "in_hours")
      linked += part.rows
      onProgress({ rows: total, total, linked })
    }
  })
  return current
}
