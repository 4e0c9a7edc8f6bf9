import { rm } from "node:fs/promises"
import { applyBatch, applySessionData, applySessions, applySites, describeVisits } from "./apply.ts"
import { brokenBy, Horizons, type Position, readPosition } from "./position.ts"
import { forgetUnused, type Range, rangeCondition, removeRange } from "./resync.ts"
import { exportedColumns, type Reader, type Source } from "./Source.ts"
import type { Store } from "./Store.ts"
import { STAGED_EVENT, STAGED_EVENT_DATA, STAGED_SESSION, STAGED_SESSION_DATA, STAGED_SITE } from "./schema.ts"
import { applyIdentified, applyUnknownSessions } from "./sessions.ts"
import { isRowVisible, leastId, MARGIN_MS, parseSnapshot, type ReplicaState } from "./state.ts"

/** A file that cannot continue: it must be rebuilt. */
export class Rebuild extends Error {}

/** Longest statement of a poll. */
const POLL_MS = 120_000
/** A file that had nothing to store is still given its position so often. */
const POSITION_MS = 60_000
/** Ranges of old ids that are read at a time. Beyond that, they are read as one. */
const MAX_RANGES = 50

interface Note {
  readonly note_id: string
  readonly least_id: string | null
  readonly greatest_id: string | null
  readonly session_ids: string | null
  readonly site_id: string | null
  readonly from_time: string | null
  readonly until_time: string | null
  readonly erased: boolean
}

/** Ranges of ids, those that overlap as one. */
const mergeRanges = (ranges: ReadonlyArray<readonly [string, string]>): ReadonlyArray<readonly [string, string]> => {
  const merged: Array<[string, string]> = []
  for (const [from, to] of ranges.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const last = merged.at(-1)
    if (last === undefined || from > last[1]) merged.push([from, to])
    else if (to > last[1]) last[1] = to
  }
  return merged.length <= MAX_RANGES ? merged : [[merged[0]![0], merged.at(-1)![1]]]
}

/** Segments with new rows; null where there are none. */
interface Exported {
  readonly events: string | null
  readonly data: string | null
  readonly sites: string | null
}

/** What a poll found. */
export interface Polled {
  readonly rows: number
  readonly position: Position
  /** Whether it replaced ranges that were noted: the one who noted them may wait for that. */
  readonly hasReplaced: boolean
}

/** Brings the file up to date with the app database, again and again. */
export class Follower {
  readonly #source: Source
  readonly #store: Store
  readonly #horizons: Horizons
  #state: ReplicaState
  /** Of the state in memory, which is ahead of the one in the file while there is nothing to store. */
  #storedAt = 0
  readonly #resyncs: Array<Range> = []

  constructor(source: Source, store: Store, state: ReplicaState) {
    this.#source = source
    this.#store = store
    this.#state = state
    const { xmin } = parseSnapshot(state.snapshot)
    this.#horizons = new Horizons(MARGIN_MS, { xmax: xmin, at: state.completeBefore + MARGIN_MS })
  }

  get state(): ReplicaState {
    return this.#state
  }

  /** Reads these rows again at the next poll. */
  resync(range: Range): void {
    this.#resyncs.push(range)
  }

  /** Fails with `Rebuild` unless the app database has the same history as the file. */
  requireContinuity(): Promise<void> {
    return this.#source.read(POLL_MS, async (reader) => {
      const why = brokenBy(this.#state, await readPosition(reader, this.#state.replicaId))
      if (why !== null) throw new Rebuild(why)
    })
  }

  /** `afterwards` runs with the file and the reader at the same position. */
  async poll(afterwards: (reader: Reader) => Promise<void> = async () => {}): Promise<Polled> {
    return this.#source.read(POLL_MS, async (reader) => {
      const position = await readPosition(reader, this.#state.replicaId)
      const why = brokenBy(this.#state, position)
      if (why !== null) throw new Rebuild(why)
      const notes = await this.#notes(reader)
      const isNew = `NOT ${isRowVisible(this.#state.snapshot, parseSnapshot(position.snapshot))}`
      const found = await this.#export(reader, isNew, notes)
      const own = [...this.#resyncs]
      const resyncs = [...own, ...notes.flatMap(toRange)]
      const state = {
        ...this.#state,
        identity: position.identity,
        snapshot: position.snapshot,
        completeBefore: this.#horizons.after(position.snapshot, position.at),
        asOf: position.asOf
      }
      const isEmpty = found.events === null && found.sites === null && notes.length === 0 && resyncs.length === 0
      let rows = 0
      if (!isEmpty || Date.now() - this.#storedAt > POSITION_MS) {
        const erased = state.isErasing || notes.some((note) => note.erased)
        const next = isEmpty ? state : { ...state, version: state.version + 1, isErasing: erased }
        rows = await this.#store.transaction(async () => {
          const added = isEmpty ? 0 : await this.#apply(reader, found, notes, resyncs)
          await this.#store.writeState(next)
          return added
        })
        this.#state = next
        this.#storedAt = Date.now()
      } else this.#state = state
      this.#resyncs.splice(0, own.length)
      await afterwards(reader)
      return { rows, position, hasReplaced: resyncs.length > 0 }
    })
  }

  /** Stores a change of what the file knows of itself. */
  async store(change: Partial<Pick<ReplicaState, "token" | "isErasing">>): Promise<void> {
    const next = { ...this.#state, ...change }
    await this.#store.transaction(() => this.#store.writeState(next))
    this.#state = next
    this.#storedAt = Date.now()
  }

  #notes(reader: Reader): Promise<ReadonlyArray<Note>> {
    const { xmin } = parseSnapshot(this.#state.snapshot)
    return reader.query<Note>(`SELECT note_id::text, least_id::text, greatest_id::text, array_to_string(session_ids, ',') AS session_ids,
      site_id::text, (from_time AT TIME ZONE 'UTC')::text AS from_time, (until_time AT TIME ZONE 'UTC')::text AS until_time, erased
      FROM product_analytics_replica_note
      WHERE xid >= '${xmin}' AND NOT pg_visible_in_snapshot(xid, '${this.#state.snapshot}') ORDER BY note_id`)
  }

  /** Exports new events, their properties and changed sites. */
  async #export(reader: Reader, isNew: string, notes: ReadonlyArray<Note>): Promise<Exported> {
    const low = leastId(this.#state.completeBefore)
    const late = notes.flatMap(
      ({ greatest_id, least_id }): ReadonlyArray<readonly [string, string]> =>
        least_id === null || greatest_id === null || least_id >= low ? [] : [[least_id, greatest_id]]
    )
    const where = [
      `event_id >= '${low}'`,
      ...mergeRanges(late).map(([from, to]) => `event_id >= '${from}' AND event_id <= '${to}' AND event_id < '${low}'`)
    ]
    const select = (table: string, columns: string) =>
      where.map((range) => `SELECT ${columns} FROM ${table} WHERE ${range} AND ${isNew}`).join(" UNION ALL ")
    const exported = async (name: string, query: string) => {
      const path = this.#store.segment(name)
      if ((await reader.copy(query, path)) > 0) return path
      await rm(path, { force: true })
      return null
    }
    // The planner's estimates of the newest rows are wrong until it has seen them.
    await reader.query("SET LOCAL enable_seqscan = off")
    const events = await exported("events", select("product_analytics_event", exportedColumns(STAGED_EVENT)))
    const data =
      events === null
        ? null
        : await exported("data", select("product_analytics_event_data", exportedColumns(STAGED_EVENT_DATA)))
    await reader.query("SET LOCAL enable_seqscan = on")
    const changed = await reader.query(`SELECT 1 FROM product_analytics_site WHERE ${isNew} LIMIT 1`)
    const sites =
      changed.length === 0
        ? null
        : await exported("sites", `SELECT ${exportedColumns(STAGED_SITE)} FROM product_analytics_site`)
    return { events, data, sites }
  }

  async #apply(
    reader: Reader,
    found: Exported,
    notes: ReadonlyArray<Note>,
    resyncs: ReadonlyArray<Range>
  ): Promise<number> {
    const store = this.#store
    if (found.sites !== null) {
      await store.stage("staged_site", STAGED_SITE, found.sites)
      await applySites(store)
    }
    let added = 0
    if (found.events !== null) {
      await store.stage("staged_event", STAGED_EVENT, found.events)
      await store.stage("staged_event_data", STAGED_EVENT_DATA, found.data)
      added += await applyBatch(store)
      await applyUnknownSessions(store, reader)
    }
    const identified = new Set(notes.flatMap(({ session_ids }) => session_ids?.split(",").filter(Boolean) ?? []))
    await applyIdentified(store, reader, identified)
    for (const range of resyncs) added += await this.#applyRange(reader, range)
    return added
  }

  /** Replaces everything of a site in a range of time. */
  async #applyRange(reader: Reader, range: Range): Promise<number> {
    const store = this.#store
    const where = rangeCondition(range)
    const staged = async (table: string, columns: typeof STAGED_EVENT, from: string) => {
      const path = store.segment(table)
      const bytes = await reader.copy(`SELECT ${exportedColumns(columns)} FROM ${from} WHERE ${where.source}`, path)
      await store.stage(table, columns, bytes === 0 ? null : path)
    }
    await removeRange(store, range)
    await staged("staged_session", STAGED_SESSION, "product_analytics_session")
    await applySessions(store)
    await staged("staged_session_data", STAGED_SESSION_DATA, "product_analytics_session_data")
    await applySessionData(store, "SELECT session_id FROM staged_session_data")
    await staged("staged_event", STAGED_EVENT, "product_analytics_event")
    await staged("staged_event_data", STAGED_EVENT_DATA, "product_analytics_event_data")
    const added = await applyBatch(store, "SELECT site, session, created_at, event_id FROM removed")
    await applyUnknownSessions(store, reader)
    await describeVisits(store, "SELECT session FROM forgotten")
    await forgetUnused(store)
    return added
  }
}

const toRange = ({ from_time, site_id, until_time }: Note): ReadonlyArray<Range> =>
  site_id === null ? [] : [{ siteId: site_id, from: from_time, until: until_time }]
