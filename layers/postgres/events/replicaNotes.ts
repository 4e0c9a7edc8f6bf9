import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"

/** A replica that was not seen for so long is gone; if it returns, it is rebuilt. */
const GONE_AFTER = "3 days"

const FORGET = `DELETE FROM product_analytics_replica WHERE seen_at < now() - interval '${GONE_AFTER}'`

/** Deletes what every replica has seen; without a replica, everything. The horizon shows one that comes later that it missed some. */
const CLEAN = `WITH gone AS (
    DELETE FROM product_analytics_replica_note
    WHERE xid < coalesce(
      (SELECT coalesce(position, '0') AS first FROM product_analytics_replica ORDER BY first LIMIT 1),
      pg_snapshot_xmin(pg_current_snapshot())
    )
    RETURNING xid
  ), newest AS (
    SELECT xid FROM gone ORDER BY xid DESC LIMIT 1
  )
  UPDATE product_analytics_replica_horizon AS horizon SET xid = newest.xid FROM newest WHERE horizon.xid < newest.xid`

/** Deletes the notes for replicas (migration 0009) that none needs any more. */
export const cleanReplicaNotes = (sql: SqlClient.SqlClient): Effect.Effect<void, SqlError.SqlError> =>
  Effect.suspend(() => sql.withTransaction(Effect.andThen(sql.unsafe(FORGET), Effect.asVoid(sql.unsafe(CLEAN)))))
