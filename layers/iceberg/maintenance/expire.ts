import { Clock, Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import { currentSnapshot, MAIN } from "../metadata/TableMetadata.ts"
import { COMMIT_RETRIES } from "../table/commit.ts"
import { type ExpireOptions, type ExpiryPlan, planExpiry } from "./expire/planExpiry.ts"
import { forEachEntry, isLive, manifestsIn } from "./reachable.ts"

export type { ExpireOptions } from "./expire/planExpiry.ts"

export interface Expired {
  readonly snapshots: number
  /** Locations of files that no snapshot needs any longer: data files, manifests, manifest lists. */
  readonly files: ReadonlyArray<string>
}

/** Files that only expired snapshots need. Reads only the manifests that belong to no kept snapshot, if there are any. */
const unneededFiles = Effect.fnUntraced(function* (
  table: Table,
  { expired, kept }: ExpiryPlan
): Effect.fn.Return<ReadonlyArray<string>, IcebergError> {
  if (expired.length === 0) return []
  const [before, after] = yield* Effect.all([manifestsIn(table, expired), manifestsIn(table, kept)])
  const manifests = [...before.values()].filter(({ location }) => !after.has(location))
  const data = new Set<string>()
  yield* forEachEntry(table, manifests, (entry) => data.add(entry.file.location))
  if (data.size > 0) {
    yield* forEachEntry(table, after.values(), (entry) => {
      if (isLive(entry)) data.delete(entry.file.location)
    })
  }
  const lists = expired.map((snapshot) => snapshot["manifest-list"])
  return [...data, ...manifests.map(({ location }) => location), ...lists]
})

const commitPlan = (catalog: Catalog, table: Table, { updates }: ExpiryPlan): Effect.Effect<Table, IcebergError> => {
  const { metadata } = table
  const current = currentSnapshot(metadata)
  return catalog.commit(table, {
    requirements: [
      { type: "assert-table-uuid", uuid: metadata["table-uuid"] },
      { type: "assert-ref-snapshot-id", ref: MAIN, "snapshot-id": current?.["snapshot-id"] ?? null }
    ],
    updates
  })
}

/**
 * Removes expired snapshots, references and properties, and then the files that nothing needs any longer. The files are
 * determined before the commit and removed only once it has certainly succeeded. A dry run changes nothing and returns what
 * would be removed.
 */
export const expireSnapshots = (
  catalog: Catalog,
  name: TableName,
  options: ExpireOptions,
  dryRun: boolean
): Effect.Effect<Expired, IcebergError> =>
  Effect.gen(function* () {
    const table = yield* catalog.load(name)
    const plan = planExpiry(table.metadata, options, yield* Clock.currentTimeMillis)
    if (plan.updates.length === 0) return { snapshots: 0, files: [] }
    const files = yield* unneededFiles(table, plan)
    if (!dryRun) {
      yield* commitPlan(catalog, table, plan)
      yield* table.store.remove(files)
    }
    return { snapshots: plan.expired.length, files }
  }).pipe(Effect.retry({ while: ({ reason }) => reason === "Conflict", schedule: COMMIT_RETRIES }))
