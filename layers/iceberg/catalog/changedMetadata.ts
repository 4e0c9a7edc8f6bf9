import { Clock, Effect } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import { applyUpdates } from "../metadata/applyUpdates.ts"
import { failedRequirement } from "../metadata/requirements.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import type { TableChange } from "../metadata/TableUpdate.ts"
import type { Table } from "./Catalog.ts"
import { showName } from "./tableName.ts"

/** The metadata after a change of a table as it was loaded. Fails with `Conflict` when a requirement does not hold. */
export const changedMetadata = Effect.fnUntraced(function* (
  table: Table,
  { requirements, updates }: TableChange
): Effect.fn.Return<TableMetadata, IcebergError> {
  const failed = failedRequirement(table.metadata, requirements)
  if (failed !== undefined) {
    return yield* icebergError(
      "Conflict",
      `${showName(table.name)} is not as the change needs it: ${failed} does not hold.`
    )
  }
  const now = yield* Clock.currentTimeMillis
  return yield* Effect.try({
    try: () => applyUpdates(table.metadata, updates, { now, metadataLocation: table.metadataLocation }),
    catch: (cause) =>
      icebergError(
        "Invalid",
        `The change does not fit ${showName(table.name)}: ${cause instanceof Error ? cause.message : cause}`
      )
  })
})

/** The snapshots that a change adds. */
export const addedSnapshots = (change: TableChange): ReadonlyArray<bigint> =>
  change.updates.flatMap((update) => (update.action === "add-snapshot" ? [update.snapshot["snapshot-id"]] : []))

export const hasSnapshots = (metadata: TableMetadata, ids: ReadonlyArray<bigint>): boolean =>
  ids.length > 0 && ids.every((id) => metadata.snapshots?.some((snapshot) => snapshot["snapshot-id"] === id))
