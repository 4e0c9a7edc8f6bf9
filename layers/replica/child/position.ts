import type { Reader } from "./Source.ts"
import type { Identity } from "./state.ts"
import { parseSnapshot } from "./state.ts"

/** What a transaction of the app database sees, and when. */
export interface Position {
  readonly snapshot: string
  /** By the server's clock, in ms since 1970. */
  readonly at: number
  readonly asOf: string
  readonly identity: Identity
  /** Notes of transactions up to this one were deleted. */
  readonly horizon: bigint
  readonly tokens: ReadonlyArray<string>
  /** A command has asked for a complete check, or a rebuild, and it has not happened since. */
  readonly isCheckAsked: boolean
  readonly isRebuildAsked: boolean
}

interface Row {
  readonly snapshot: string
  readonly at: number
  readonly as_of: string
  readonly system: string
  readonly database: string
  readonly timeline: string
  readonly filenode: string
  readonly horizon: string
  readonly token: string | null
  readonly previous_token: string | null
  readonly check_asked: boolean
  readonly rebuild_asked: boolean
}

/** `replicaId` is a UUID that this process made. */
export const readPosition = async (reader: Reader, replicaId: string): Promise<Position> => {
  const [row] = await reader.query<Row>(`SELECT pg_current_snapshot()::text AS snapshot,
    (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at,
    to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS as_of,
    (SELECT system_identifier FROM pg_control_system())::text AS system,
    (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
    left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline,
    pg_relation_filenode('product_analytics_session')::text AS filenode,
    (SELECT xid::text FROM product_analytics_replica_horizon) AS horizon,
    replica.token::text AS token, replica.previous_token::text AS previous_token,
    coalesce(replica.check_asked_at > coalesce(replica.checked_at, '-infinity'), false) AS check_asked,
    replica.rebuild_asked_at IS NOT NULL AS rebuild_asked
    FROM (SELECT) AS one LEFT JOIN product_analytics_replica AS replica ON replica.replica_id = '${replicaId}'`)
  const { as_of: asOf, at, database, filenode, horizon, snapshot, system, timeline } = row!
  return {
    snapshot,
    at: Number(at),
    asOf,
    identity: { system, database, timeline, filenode },
    horizon: BigInt(horizon),
    isCheckAsked: row!.check_asked,
    isRebuildAsked: row!.rebuild_asked,
    tokens: [row!.token, row!.previous_token].filter((token) => token !== null)
  }
}

/** Why a file does not continue at a position; null if it does. */
export const brokenBy = (
  state: { readonly identity: Identity; readonly snapshot: string; readonly token: string },
  position: Position
): string | null => {
  const { identity } = position
  const last = parseSnapshot(state.snapshot)
  if (identity.system !== state.identity.system || identity.database !== state.identity.database) {
    return "the app database is another one"
  }
  if (identity.timeline !== state.identity.timeline) return "Postgres failed over, or was restored to a point in time"
  if (identity.filenode !== state.identity.filenode) return "the table of sessions was truncated or recreated"
  if (parseSnapshot(position.snapshot).xmax < last.xmax || !position.tokens.includes(state.token)) {
    return "the app database was restored from a backup, or has forgotten this replica"
  }
  if (position.horizon >= last.xmin && position.horizon > 0n) return "it has not followed for too long"
  return null
}

/**
 * Remembers when transactions got their numbers, to know how old an id of an event that is not visible yet may be: at most `marginMs`
 * older than the transaction's number, or its batch is noted.
 */
export class Horizons {
  readonly #marginMs: number
  /** When each number was the next one to be given, in order. */
  #known: Array<{ readonly xmax: bigint; readonly at: number }>

  constructor(marginMs: number, first: { readonly xmax: bigint; readonly at: number }) {
    this.#marginMs = marginMs
    this.#known = [first]
  }

  /** The time, in ms since 1970, from which on ids must be read at the next poll. */
  after(snapshot: string, at: number): number {
    const { xmax, xmin } = parseSnapshot(snapshot)
    this.#known.push({ xmax, at })
    // Transactions that were not over at this snapshot have a number from `xmin` on.
    let index = 0
    while (index + 1 < this.#known.length && this.#known[index + 1]!.xmax <= xmin) index++
    this.#known = this.#known.slice(index)
    return this.#known[0]!.at - this.#marginMs
  }
}
