import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { type AuditEntry, AuditLog } from "../../../ports/AuditLog.ts"
import { AdminApi } from "../AdminApi.ts"
import { DEFAULT_PAGE } from "../numbers.ts"
import { unavailable } from "../peopleProblem.ts"

const entryJson = (entry: AuditEntry) => ({
  id: entry.id,
  at: entry.at.toISOString(),
  actor: { kind: entry.actorKind, id: entry.actorId, name: entry.actorName },
  action: entry.action,
  target: { kind: entry.targetKind, id: entry.targetId, name: entry.targetName },
  details: entry.details
})

export const AuditHandlers = HttpApiBuilder.group(
  AdminApi,
  "audit",
  Effect.fn(function* (handlers) {
    const audit = yield* AuditLog
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ query }) {
        const {
          action,
          actor_id: actorId,
          before,
          limit = DEFAULT_PAGE,
          target_id: targetId,
          target_kind: targetKind
        } = query
        // One more than asked for shows whether there is a next page.
        const found = yield* audit.list({
          limit: limit + 1,
          ...(before !== undefined && { before }),
          ...(action !== undefined && { action }),
          ...(actorId !== undefined && { actorId }),
          ...(targetKind !== undefined && { targetKind }),
          ...(targetId !== undefined && { targetId })
        })
        const entries = found.slice(0, limit)
        return { data: entries.map(entryJson), next: found.length > limit ? (entries.at(-1)?.id ?? null) : null }
      }, Effect.mapError(unavailable))
    })
  })
)
