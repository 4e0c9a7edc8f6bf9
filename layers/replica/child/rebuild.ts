import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import type { RebuildProgress } from "../../../src/domain/rebuildProgress.ts"
import { applySites, ensureKeys, ensureSites, insertData, insertKeyed, selectKeys } from "./apply.ts"
import { inTurns } from "./inTurns.ts"
import { LINKED_ROWS, linkEvents } from "./link.ts"
import { readPosition } from "./position.ts"
import { exportedColumns, SEGMENT_BYTES, type Source } from "./Source.ts"
import type { Store } from "./Store.ts"
import {
  FORMAT,
  SESSION_FIELDS,
  STAGED_EVENT,
  STAGED_EVENT_DATA,
  STAGED_SESSION,
  STAGED_SESSION_DATA,
  STAGED_SITE
} from "./schema.ts"
import { applyUnknownSessions } from "./sessions.ts"
import { MARGIN_MS, type ReplicaState } from "./state.ts"

/** Longest statement of a rebuild: one that exports a segment, or all sessions. */
const STATEMENT_MS = 1_800_000
/** How long transactions that began before a replica was registered may take before it starts without them. */
const REGISTER_MS = 300_000
const FIRST_ID = "00000000-0000-0000-0000-000000000000"
/** Events of the first segment, whose size decides about that of the others. */
const FIRST_EVENTS = 50_000
const MAX_EVENTS = 1_000_000

export interface Registration {
  readonly host: string
  readonly folder: string
}

/** Lets the writers know that there is a replica, and waits for the transactions that may not have noticed. Returns the time before. */
const register = async (source: Source, replicaId: string, token: string, { folder, host }: Registration) => {
  const [row] = await source.write<{ at: number; xmax: string }>(
    `WITH before AS (DELETE FROM product_analytics_replica WHERE host = $3 AND folder = $4)
    INSERT INTO product_analytics_replica (replica_id, token, previous_token, host, folder)
    VALUES ($1::text::uuid, $2::text::uuid, $2::text::uuid, $3, $4)
    RETURNING (extract(epoch FROM now()) * 1000)::float8 AS at, pg_current_xact_id()::text AS xmax`,
    [replicaId, token, host, folder]
  )
  const begun = performance.now()
  for (;;) {
    const [now] = await source.write<{ xmin: string }>(
      "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin",
      []
    )
    if (BigInt(now!.xmin) > BigInt(row!.xmax) || performance.now() - begun > REGISTER_MS) return Number(row!.at)
    await Bun.sleep(100)
  }
}

/** Loads the sites, the sessions in the order in which they began, and their attributes. The file is empty before. */
const loadSessions = async (source: Source, store: Store, replicaId: string, token: string, before: number) => {
  await source.read(STATEMENT_MS, async (reader) => {
    const position = await readPosition(reader, replicaId)
    await store.transaction(async () => {
      const copied = async (name: string, columns: typeof STAGED_SITE, from: string, onStaged: () => Promise<void>) => {
        const path = store.segment(name)
        await reader.copySegments(`SELECT ${exportedColumns(columns)} FROM ${from}`, path, async () => {
          await store.stage(`staged_${name}`, columns, path)
          await onStaged()
        })
        await rm(path, { force: true })
      }
      await copied("site", STAGED_SITE, "product_analytics_site", () => applySites(store))
      await store.stage("loaded_session", STAGED_SESSION, null)
      await copied("session", STAGED_SESSION, "product_analytics_session", () =>
        store.run("INSERT INTO loaded_session SELECT * FROM staged_session")
      )
      await ensureSites(store, "SELECT site_id FROM loaded_session")
      const fields = SESSION_FIELDS.map(({ name }) => `loaded_session.${name}`).join(", ")
      await store.run(`INSERT INTO session
        SELECT row_number() OVER (ORDER BY loaded_session.created_at, session_id), session_id, site.site, true, ${fields}
        FROM loaded_session JOIN site ON site.site_id = loaded_session.site_id ORDER BY 1`)
      await store.run("DROP TABLE loaded_session")
      await copied("session_data", STAGED_SESSION_DATA, "product_analytics_session_data", () =>
        store.run(`INSERT INTO session_data
          SELECT session.session, session.site, data.created_at, data_key, string_value, number_value, date_value, data_type
          FROM staged_session_data AS data JOIN session ON session.session_id = data.session_id`)
      )
      const state: ReplicaState = {
        format: FORMAT,
        replicaId,
        token,
        identity: position.identity,
        snapshot: position.snapshot,
        completeBefore: before - MARGIN_MS,
        asOf: position.asOf,
        rebuiltTo: FIRST_ID,
        linkedTo: 0,
        isErasing: false,
        version: 1
      }
      await store.writeState(state)
    })
  })
}

/** Registers a replica and loads everything but the events into an empty file. */
export const beginRebuild = async (source: Source, store: Store, registration: Registration): Promise<ReplicaState> => {
  const [replicaId, token] = [randomUUID(), randomUUID()]
  const before = await register(source, replicaId, token, registration)
  await loadSessions(source, store, replicaId, token, before)
  return (await store.readState())!
}

interface Segment {
  /** The last id; null if it is the last segment. */
  readonly to: string | null
  readonly events: string | null
  readonly data: string | null
  readonly bytes: number
}

/** Exports the events after `from`, about `count` of them, with their properties. */
const exportSegment = (source: Source, store: Store, name: string, from: string, count: number): Promise<Segment> =>
  source.read(STATEMENT_MS, async (reader) => {
    await reader.query("SET LOCAL enable_seqscan = off")
    const [last] = await reader.query<{ id: string }>(
      `SELECT event_id::text AS id FROM product_analytics_event WHERE event_id > '${from}' ORDER BY event_id OFFSET ${count} LIMIT 1`
    )
    const to = last?.id ?? null
    const range = `event_id > '${from}'${to === null ? "" : ` AND event_id <= '${to}'`}`
    const exported = async (table: string, columns: typeof STAGED_EVENT, path: string) => {
      const bytes = await reader.copy(`SELECT ${exportedColumns(columns)} FROM ${table} WHERE ${range}`, path)
      if (bytes === 0) await rm(path, { force: true })
      return bytes
    }
    const [events, data] = [store.segment(`events_${name}`), store.segment(`data_${name}`)]
    const bytes = await exported("product_analytics_event", STAGED_EVENT, events)
    const dataBytes = bytes === 0 ? 0 : await exported("product_analytics_event_data", STAGED_EVENT_DATA, data)
    return { to, events: bytes === 0 ? null : events, data: dataBytes === 0 ? null : data, bytes: bytes + dataBytes }
  })

/** How many events Postgres has, as it estimates. */
const estimateEvents = (source: Source): Promise<number> =>
  source.read(STATEMENT_MS, async (reader) => {
    const [row] = await reader.query<{
      count: number
    }>(`SELECT coalesce(sum(greatest(reltuples, 0)), 0)::float8 AS count
      FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'product_analytics_event'::regclass`)
    return Number(row!.count)
  })

/** One connection exports segments of events, the other one reads sessions. */
export interface RebuildSources {
  readonly events: Source
  readonly sessions: Source
}

/**
 * Loads the events after `state.rebuiltTo`, in the order of their ids, whatever is visible at that moment: those that come or move
 * meanwhile are found again by following from `state.snapshot`, and skipped if they are there. While a segment is loaded, the next one is staged,
 * and the one after it exported. After each transaction, the rebuild can be resumed.
 */
const loadEvents = async (
  sources: RebuildSources,
  store: Store,
  state: ReplicaState,
  onProgress: (progress: RebuildProgress) => void
): Promise<ReplicaState> => {
  if (state.rebuiltTo === null) return state
  const total = await estimateEvents(sources.events)
  let current = state
  let rows = await store.number("SELECT count(*) FROM event")
  onProgress({ rows, total, linked: null })
  let count = FIRST_EVENTS
  const exported = (number: number, from: string) =>
    exportSegment(sources.events, store, String(number % 2), from, count)
  let next: Promise<Segment> | null = exported(0, state.rebuiltTo)
  await inTurns<Segment>(store, {
    prepare: async (writer, index) => {
      if (next === null) return null
      const segment: Segment = await next
      // As many events as make a segment, by the size of those before.
      count = Math.min(MAX_EVENTS, Math.ceil((count * SEGMENT_BYTES) / Math.max(segment.bytes, 1)))
      next = segment.to === null ? null : exported(index + 1, segment.to)
      // A failure is seen when it is awaited, after the segments before have been loaded.
      next?.catch(() => {})
      await stageSegment(writer, segment)
      return segment
    },
    store: async (writer, { to }) => {
      current = { ...current, rebuiltTo: to, version: current.version + 1 }
      rows += await writer.transaction(async () => {
        const added = await loadSegment(sources.sessions, writer)
        await writer.writeState(current)
        return added
      })
      // After the transaction, until whose end they would take memory.
      await writer.drop("staged_event", "staged_event_data", "keyed", "numbered")
      onProgress({ rows, total: Math.max(rows, total), linked: null })
    },
    abandon: () => sources.events.close()
  })
  return current
}

const stageSegment = async (store: Store, { data, events }: Segment) => {
  await store.stage("staged_event", STAGED_EVENT, events)
  await store.stage("staged_event_data", STAGED_EVENT_DATA, data)
}

/** Adds the staged events, in their order. Their predecessors and visits follow once all are there. */
const loadSegment = async (source: Source, store: Store) => {
  await ensureKeys(store)
  await store.run(`CREATE OR REPLACE TEMP TABLE keyed AS
    ${selectKeys("NULL::INTEGER AS prev_same, NULL::INTEGER AS prev_path")} ORDER BY staged_row`)
  await insertKeyed(store)
  await insertData(store, "keyed")
  await source.read(STATEMENT_MS, (reader) => applyUnknownSessions(store, reader))
  return store.number("SELECT count(*) FROM staged_event")
}

/** Finishes a rebuild from where it is. */
export const finishRebuild = async (
  sources: RebuildSources,
  store: Store,
  state: ReplicaState,
  onProgress: (progress: RebuildProgress) => void,
  linkedRows = LINKED_ROWS
): Promise<ReplicaState> =>
  linkEvents(store, await loadEvents(sources, store, state, onProgress), onProgress, linkedRows)
