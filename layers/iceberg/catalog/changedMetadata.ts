import { Clock, Effect } from "effect"
import { IcebergError } from "../IcebergError.ts"
import { applyUpdates } from "../metadata/applyUpdates.ts"
import { failedRequirement } from "../metadata/requirements.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import type { TableChange } from "../metadata/TableUpdate.ts"
import type { Table } from "./Catalog.ts"
import { showName } from "./tableName.ts"

/** Fails with `Conflict` if a requirement does not hold for the table as it was loaded. */
export const checkRequirements = (table: Table, { requirements }: TableChange): Effect.Effect<void, IcebergError> => {
  const failed = failedRequirement(table.metadata, requirements)
  return failed === null
    ? Effect.void
    : Effect.fail(IcebergError.conflict(`${showName(table.name)} does not meet the requirement ${failed}.`))
}

/** The metadata after a change to a table as it was loaded. Fails with `Conflict` if a requirement does not hold. */
export const changedMetadata = Effect.fnUntraced(function* (
  table: Table,
  change: TableChange
): Effect.fn.Return<TableMetadata, IcebergError> {
  yield* checkRequirements(table, change)
  const now = yield* Clock.currentTimeMillis
  return yield* Effect.try({
    try: () => applyUpdates(table.metadata, change.updates, { now, metadataLocation: table.metadataLocation }),
    catch: (cause) =>
      IcebergError.invalid(
        `Cannot apply the change to ${showName(table.name)}: ${cause instanceof Error ? cause.message : cause}`
      )
  })
})

/** The snapshots that a change adds. */
export const addedSnapshots = (change: TableChange): ReadonlyArray<bigint> =>
  change.updates.flatMap((update) => (update.action === "add-snapshot" ? [update.snapshot["snapshot-id"]] : []))

/** Whether the metadata contains all of these snapshots; false for none. */
export const hasSnapshots = (metadata: TableMetadata, ids: ReadonlyArray<bigint>): boolean =>
  ids.length > 0 && ids.every((id) => metadata.snapshots?.some((snapshot) => snapshot["snapshot-id"] === id))

/** The failure of a commit that came second. */
export const conflictFor = (table: Table): IcebergError =>
  IcebergError.conflict(`Another writer changed ${showName(table.name)} first.`)
