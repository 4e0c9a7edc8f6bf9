import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { Principal } from "../../../src/domain/Principal.ts"
import type { AuditEvent } from "../../../src/ports/AuditLog.ts"
import { CurrentPrincipal } from "../../../src/ports/CurrentPrincipal.ts"

const INSERT = `INSERT INTO product_analytics_audit
    (actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name, details)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb)`

/** Records an event. Called in a transaction, it is recorded if and only if that commits. `actor`: by default the current principal. */
export const writeAudit = (
  sql: SqlClient.SqlClient,
  event: AuditEvent,
  actor?: Pick<Principal, "kind" | "id" | "name">
): Effect.Effect<void, SqlError.SqlError> =>
  Effect.gen(function* () {
    const { id, kind, name } = actor ?? (yield* CurrentPrincipal)
    const { action, details = {}, targetId, targetKind, targetName } = event
    yield* sql.unsafe(INSERT, [kind, id, name, action, targetKind, targetId, targetName, JSON.stringify(details)])
  })

/** Makes a change and records it, in one transaction. `event` is null for a change that did nothing. */
export const audited = <A, E, R>(
  sql: SqlClient.SqlClient,
  change: Effect.Effect<A, E, R>,
  event: (result: A) => AuditEvent | null
): Effect.Effect<A, E | SqlError.SqlError, R> =>
  sql.withTransaction(
    Effect.tap(change, (result) => {
      const happened = event(result)
      return happened === null ? Effect.void : writeAudit(sql, happened)
    })
  )
