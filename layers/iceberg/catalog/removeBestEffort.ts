import { type Duration, Effect } from "effect"
import type { ObjectStore } from "../io/ObjectStore.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"

/** Tidying may not hold up a commit for longer; what is left is an orphan that maintenance finds. */
const DEADLINE: Duration.Input = "10 seconds"

/** Removes files that nobody refers to. What can't be removed now stays, with a line in the log. */
export const removeBestEffort = (store: ObjectStore, locations: ReadonlyArray<string>): Effect.Effect<void> =>
  locations.length === 0
    ? Effect.void
    : store.remove(locations).pipe(
        Effect.timeout(DEADLINE),
        Effect.catch((error) =>
          Effect.logWarning(
            `${locations.length} unused files, ${locations[0]} the first, were not removed: ${error.message}`
          )
        )
      )

/**
 * The metadata files that fell out of the metadata log with a commit, when the table's property
 * `write.metadata.delete-after-commit.enabled` says that they may go.
 */
export const forgottenFiles = (base: TableMetadata, next: TableMetadata): ReadonlyArray<string> => {
  if (next.properties["write.metadata.delete-after-commit.enabled"]?.toLowerCase() !== "true") return []
  const kept = new Set(next["metadata-log"]?.map((entry) => entry["metadata-file"]))
  return (base["metadata-log"] ?? []).map((entry) => entry["metadata-file"]).filter((file) => !kept.has(file))
}
