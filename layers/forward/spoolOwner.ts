import { readFileSync, statSync } from "node:fs"
import { hostname } from "node:os"
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { GONE_AFTER_SECONDS } from "./WriterRegistry.ts"

/*
 * A spool's folder can be copied together with its id: a golden image, a cloned volume. Two collectors that flush under one id would each
 * skip events of the other. So each opening takes an owner token: in the app database, where the others see it, and in the folder, where it
 * says which owner wrote the records.
 */

/** How often the row of another owner is checked for a sign of life. */
const POLL = "1 second"
/** Where Linux identifies a boot of a machine. A copied disk has another one. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id"

export interface SpoolClaim {
  readonly spoolId: string
  /** Of this opening. */
  readonly token: string
  /** Where the spool ended when it was opened. */
  readonly begin: number
  readonly folder: string
}

/**
 * What became of a claim.
 * - `Owned`: no other process uses the spool, and this one is its owner now.
 * - `Taken`: another process uses a copy of it. `token` and `begin` are of its claim.
 */
export type ClaimOutcome =
  | { readonly _tag: "Owned" }
  | { readonly _tag: "Taken"; readonly host: string; readonly token: string | null; readonly begin: number }

const machine = (): string => {
  try {
    return readFileSync(BOOT_ID, "utf8").trim()
  } catch {
    return hostname()
  }
}

/** Identifies a folder among all machines, but no copy of it. The folder's lock ensures that one process at a time is there. */
const placeOf = (folder: string): string => {
  const { dev, ino } = statSync(folder)
  return `${machine()} ${dev} ${ino}`
}

interface OwnerRow {
  readonly host: string
  readonly owner: string | null
  readonly begin_position: string | number | null
  readonly seen_at: string
  readonly is_live: boolean
}

/** Takes the spool over if it has no owner, if its owner was here, or if its row is still as it was when its owner was found gone. */
const take = (
  sql: SqlClient.SqlClient,
  { begin, folder, spoolId, token }: SpoolClaim,
  gone: OwnerRow | null
): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe(
      `INSERT INTO product_analytics_lake_writer AS writer (log_id, host, folder, owner, place, begin_position)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (log_id) DO UPDATE SET host = EXCLUDED.host, folder = EXCLUDED.folder, owner = EXCLUDED.owner,
        place = EXCLUDED.place, begin_position = EXCLUDED.begin_position, seen_at = now()
      WHERE writer.place = EXCLUDED.place
        OR ($7::text IS NOT NULL AND writer.seen_at::text = $7 AND writer.owner IS NOT DISTINCT FROM $8::uuid)
      RETURNING owner`,
      [spoolId, hostname(), folder, token, placeOf(folder), begin, gone?.seen_at ?? null, gone?.owner ?? null]
    ),
    (rows) => rows.length === 1
  )

const ownerOf = (sql: SqlClient.SqlClient, spoolId: string): Effect.Effect<OwnerRow | null, SqlError.SqlError> =>
  Effect.map(
    sql.unsafe<OwnerRow>(
      `SELECT host, owner, begin_position, seen_at::text AS seen_at,
        seen_at > now() - make_interval(secs => $2) AS is_live
      FROM product_analytics_lake_writer WHERE log_id = $1`,
      [spoolId, GONE_AFTER_SECONDS]
    ),
    (rows) => rows[0] ?? null
  )

/**
 * Claims a spool. If its row has another owner that was seen recently, waits until that owner reports again, which makes it a live one, or
 * until it is gone: a process that was killed on another boot of this machine looks the same at first.
 */
export const claimSpoolOwner = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  claim: SpoolClaim
): Effect.fn.Return<ClaimOutcome, SqlError.SqlError> {
  let first: OwnerRow | null = null
  let gone: OwnerRow | null = null
  for (;;) {
    if (yield* take(sql, claim, gone)) return { _tag: "Owned" }
    const row: OwnerRow | null = yield* ownerOf(sql, claim.spoolId)
    gone = row === null || row.is_live ? null : row
    if (row === null || gone !== null) continue
    if (first !== null && first.seen_at !== row.seen_at) {
      return { _tag: "Taken", host: row.host, token: row.owner, begin: Number(row.begin_position ?? 0) }
    }
    first = row
    yield* Effect.sleep(POLL)
  }
})
