import { Effect } from "effect"
import type { IcebergError } from "../../IcebergError.ts"
import { stringifyJson } from "../../json.ts"
import { failedRequirement } from "../../metadata/requirements.ts"
import type { TableChange } from "../../metadata/TableUpdate.ts"
import type { Table } from "../Catalog.ts"
import { checkRequirements, conflictFor } from "../changedMetadata.ts"
import { showName } from "../tableName.ts"
import { isVisible } from "./isVisible.ts"
import type { RestSession } from "./restSession.ts"
import { attemptRequest, sendChange } from "./sendChange.ts"
import { readTableResponse } from "./tableResponse.ts"

/** Commits a change to a table. Fails with `Conflict` if the table no longer meets the change's requirements. */
export const commitTable = Effect.fnUntraced(function* (
  session: RestSession,
  table: Table,
  change: TableChange,
  load: Effect.Effect<Table, IcebergError>
): Effect.fn.Return<Table, IcebergError> {
  const { name } = table
  yield* checkRequirements(table, change)
  return yield* sendChange({
    name,
    send: attemptRequest(session, {
      path: (yield* session.paths).table(name),
      body: stringifyJson({
        identifier: { namespace: name.namespace, name: name.name },
        requirements: change.requirements,
        updates: change.updates
      }),
      headers: { "idempotency-key": Bun.randomUUIDv7() },
      action: `commit to ${showName(name)}`,
      read: (body) =>
        Effect.map(readTableResponse(body, name, session.host), ({ metadata, metadataLocation }) => ({
          ...table,
          metadata,
          metadataLocation
        }))
    }),
    load,
    judge: (found) => {
      if (found === null) return "superseded"
      if (isVisible(found.metadata, change)) return "applied"
      // If a requirement fails now, the server can no longer apply this change.
      return failedRequirement(found.metadata, change.requirements) === null ? "pending" : "superseded"
    },
    superseded: conflictFor(table)
  })
})
