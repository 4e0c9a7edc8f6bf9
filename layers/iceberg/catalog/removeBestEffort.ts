import { type Duration, Effect } from "effect"
import type { ObjectStore } from "../io/ObjectStore.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"

/** Cleaning up must not delay a commit for longer. What is left is an orphan, which maintenance removes. */
const DEADLINE: Duration.Input = "10 seconds"

/** Removes unreferenced files. Logs a warning for those that it cannot remove now. */
export const removeBestEffort = (store: ObjectStore, locations: ReadonlyArray<string>): Effect.Effect<void> =>
  locations.length === 0
    ? Effect.void
    : store.remove(locations).pipe(
        Effect.timeout(DEADLINE),
        Effect.catch((error) =>
          Effect.logWarning(
            `Could not remove ${locations.length} unreferenced files, starting with ${locations[0]}: ${error.message}`
          )
        )
      )

/**
 * The metadata files that dropped out of the metadata log with a commit, if the table property
 * `write.metadata.delete-after-commit.enabled` allows removing them.
 */
export const droppedMetadataFiles = (base: TableMetadata, next: TableMetadata): ReadonlyArray<string> => {
  if (next.properties["write.metadata.delete-after-commit.enabled"]?.toLowerCase() !== "true") return []
  const kept = new Set(next["metadata-log"]?.map((entry) => entry["metadata-file"]))
  return (base["metadata-log"] ?? []).map((entry) => entry["metadata-file"]).filter((file) => !kept.has(file))
}
