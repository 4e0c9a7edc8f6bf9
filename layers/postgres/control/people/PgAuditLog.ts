import { Effect, Layer } from "effect"
import { type AuditEntry, AuditLog } from "../../../../src/ports/AuditLog.ts"
import { peopleUnavailable } from "../../../../src/ports/PeopleError.ts"
import { AppDatabase } from "../../client/Database.ts"
import { runStatement } from "../../client/runStatement.ts"
import { writeAudit } from "../audit.ts"

const LIST = `SELECT id::float8 AS id, floor(extract(epoch FROM at) * 1000)::float8 AS at_ms, actor_kind, actor_id, actor_name,
    action, target_kind, target_id, target_name, details
  FROM product_analytics_audit
  WHERE ($2::bigint IS NULL OR id < $2::bigint)
    AND ($3::text IS NULL OR action = $3)
    AND ($4::text IS NULL OR actor_id = $4)
    AND ($5::text IS NULL OR target_kind = $5)
    AND ($6::text IS NULL OR target_id = $6)
  ORDER BY id DESC LIMIT $1::int`

interface Row {
  readonly id: number
  readonly at_ms: number
  readonly actor_kind: string
  readonly actor_id: string | null
  readonly actor_name: string
  readonly action: string
  readonly target_kind: string
  readonly target_id: string | null
  readonly target_name: string | null
  readonly details: Readonly<Record<string, unknown>>
}

const toEntry = (row: Row): AuditEntry => ({
  id: row.id,
  at: new Date(row.at_ms),
  actorKind: row.actor_kind,
  actorId: row.actor_id,
  actorName: row.actor_name,
  action: row.action,
  targetKind: row.target_kind,
  targetId: row.target_id,
  targetName: row.target_name,
  details: row.details
})

/** The audit log in the app database. */
export const layer: Layer.Layer<AuditLog, never, AppDatabase> = Layer.effect(
  AuditLog,
  Effect.map(AppDatabase, (sql) =>
    AuditLog.of({
      list: ({ action, actorId, before, limit, targetId, targetKind }) =>
        runStatement(
          sql.unsafe<Row>(LIST, [
            limit,
            before ?? null,
            action ?? null,
            actorId ?? null,
            targetKind ?? null,
            targetId ?? null
          ]),
          peopleUnavailable
        ).pipe(Effect.map((rows) => rows.map(toEntry))),
      record: (event) => runStatement(writeAudit(sql, event), peopleUnavailable)
    })
  )
)
