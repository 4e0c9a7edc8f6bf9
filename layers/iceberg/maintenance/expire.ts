import { Clock, Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import { currentSnapshot, MAIN } from "../metadata/TableMetadata.ts"
import { isGcEnabled } from "../metadata/tableProperties.ts"
import { COMMIT_RETRIES } from "../table/commit.ts"
import { type ExpireOptions, type ExpiryPlan, planExpiry } from "./expire/planExpiry.ts"
import { forEachEntry, isLive, manifestsIn, type ReadLists } from "./reachable.ts"

export type { ExpireOptions } from "./expire/planExpiry.ts"

export interface Expired {
  readonly snapshots: number
  /** Locations of files that no snapshot needs any longer: data files, manifests, manifest lists. */
  readonly files: ReadonlyArray<string>
  /** Why nothing may expire; null if it may. */
  readonly skipped: string | null
}

/** What earlier attempts have read. Files never change, so only what is new must be read before the next attempt. */
interface Progress {
  readonly lists: ReadLists
  /** Locations of manifests that only expired snapshots have, whose entries are in `files`. */
  readonly expired: Set<string>
  /** Locations of manifests of kept snapshots, whose live entries are not in `files`. */
  readonly kept: Set<string>
  /** Data files that no kept snapshot needs. */
  readonly files: Set<string>
}

/** Files that only expired snapshots need. Reads only the manifests that belong to no kept snapshot, if there are any. */
const unneededFiles = Effect.fnUntraced(function* (
  table: Table,
  { expired, kept }: ExpiryPlan,
  progress: Progress
): Effect.fn.Return<ReadonlyArray<string>, IcebergError> {
  if (expired.length === 0) return []
  const before = yield* manifestsIn(table, expired, progress.lists)
  const after = yield* manifestsIn(table, kept, progress.lists)
  const manifests = [...before.values()].filter(({ location }) => !after.has(location))
  const added = manifests.filter(({ location }) => !progress.expired.has(location))
  if (added.length > 0) {
    // The files of these may be in manifests that were compared before.
    progress.kept.clear()
    yield* forEachEntry(table, added, (entry) => progress.files.add(entry.file.location))
    for (const { location } of added) progress.expired.add(location)
  }
  if (progress.files.size > 0) {
    const compared = [...after.values()].filter(({ location }) => !progress.kept.has(location))
    yield* forEachEntry(table, compared, (entry) => {
      if (isLive(entry)) progress.files.delete(entry.file.location)
    })
    for (const { location } of compared) progress.kept.add(location)
  }
  const lists = expired.map((snapshot) => snapshot["manifest-list"])
  return [...progress.files, ...manifests.map(({ location }) => location), ...lists]
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
 * determined before the commit and removed only once it has certainly succeeded. If another writer commits first, all of it is
 * determined again, which takes much less time than at first. Nothing expires in a table with `gc.enabled=false`. A dry run
 * changes nothing and returns what would be removed.
 */
export const expireSnapshots = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  options: ExpireOptions,
  dryRun: boolean
): Effect.fn.Return<Expired, IcebergError> {
  const progress: Progress = { lists: new Map(), expired: new Set(), kept: new Set(), files: new Set() }
  const attempt = Effect.gen(function* () {
    const table = yield* catalog.load(name)
    if (!isGcEnabled(table.metadata)) {
      const skipped = `${name.name} has the property gc.enabled=false: no snapshots expire.`
      return { snapshots: 0, files: [], skipped }
    }
    const plan = planExpiry(table.metadata, options, yield* Clock.currentTimeMillis)
    if (plan.updates.length === 0) return { snapshots: 0, files: [], skipped: null }
    const files = yield* unneededFiles(table, plan, progress)
    if (!dryRun) {
      yield* commitPlan(catalog, table, plan)
      yield* table.store.remove(files)
    }
    return { snapshots: plan.expired.length, files, skipped: null }
  })
  return yield* attempt.pipe(Effect.retry({ while: ({ reason }) => reason === "Conflict", schedule: COMMIT_RETRIES }))
})
