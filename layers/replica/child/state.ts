/** Which history of the app database a replica follows. Another one requires a rebuild. */
export interface Identity {
  /** The cluster, the database in it and the timeline, which changes with a failover and with a restore to a point in time. */
  readonly system: string
  readonly database: string
  readonly timeline: string
  /** The storage of the sessions' table, which changes when it is truncated or recreated. */
  readonly filenode: string
}

/**
 * Ids are read this far back. Writers note batches that are older than five seconds, those of an older version do not: a record waits
 * up to ten seconds for its commit by default.
 */
export const MARGIN_MS = 15_000

/** What a file knows of itself. Stored in it, in the transaction of the rows that it describes. */
export interface ReplicaState {
  readonly format: string
  readonly replicaId: string
  /** One of the two that the app database has for this replica. */
  readonly token: string
  readonly identity: Identity
  /** A `pg_snapshot`: what it shows is in the file, except for events beyond `rebuiltTo`. */
  readonly snapshot: string
  /** No event is missing whose id is older than this, in ms since 1970. */
  readonly completeBefore: number
  /** The time of the snapshot by the server's clock, as ISO 8601 in UTC. */
  readonly asOf: string
  /** The last event that an unfinished rebuild has loaded; null once it has all. */
  readonly rebuiltTo: string | null
  /** The last session whose visits an unfinished rebuild has made; null once the rebuild has finished. */
  readonly linkedTo: number | null
  /** Rows were deleted whose bytes are still in the file: it must be scrubbed. */
  readonly isErasing: boolean
  /** Changes with the rows. */
  readonly version: number
}

export interface Snapshot {
  /** Everything before is over. */
  readonly xmin: bigint
  /** Nothing from here on is visible. */
  readonly xmax: bigint
}

const SNAPSHOT = /^(\d+):(\d+):[\d,]*$/

export const parseSnapshot = (snapshot: string): Snapshot => {
  const match = SNAPSHOT.exec(snapshot)
  if (match === null) throw new Error(`Postgres has an unknown notation of snapshots: ${snapshot.slice(0, 100)}`)
  return { xmin: BigInt(match[1]!), xmax: BigInt(match[2]!) }
}

const EPOCH = 2n ** 32n

/** Whether a row's transaction is visible in a snapshot. A row has the lower half of the number, of this epoch or the one before. */
export const isRowVisible = (snapshot: string, now: Snapshot): string => {
  const epoch = (now.xmax / EPOCH) * EPOCH
  const xid =
    epoch === 0n
      ? "xmin::text::xid8"
      : `(xmin::text::int8 + CASE WHEN xmin::text::int8 <= ${now.xmax % EPOCH} THEN ${epoch} ELSE ${epoch - EPOCH} END)::text::xid8`
  return `pg_visible_in_snapshot(${xid}, '${snapshot}')`
}

/** The least UUIDv7 of a millisecond. */
export const leastId = (ms: number): string => {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`
}
