import { Clock, Effect } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import {
  currentSnapshot,
  MAIN,
  type Snapshot,
  type SnapshotRef,
  type TableMetadata
} from "../metadata/TableMetadata.ts"
import type { TableUpdate } from "../metadata/TableUpdate.ts"
import { forEachEntry, isLive, manifestsIn } from "./reachable.ts"

/** Tries against commits of others, each on a table loaded anew. */
const MOST_TRIES = 5

export interface ExpireOptions {
  /** How long a snapshot is kept after it was replaced, in ms. A reference's own setting comes first. */
  readonly maxAgeMs: number
  /** Newest snapshots of a branch that are kept whatever their age. */
  readonly minKept: number
  /** Table properties that are no longer needed; they are removed with the snapshots. None by default. */
  readonly staleProperties?: (metadata: TableMetadata, now: number) => ReadonlyArray<string>
}

export interface Expired {
  readonly snapshots: number
  /** Locations of files that no snapshot needs any more: data files, manifests, manifest lists. */
  readonly files: ReadonlyArray<string>
}

/** The snapshots that a branch keeps: its newest, and older ones as long as their successor is young. */
const keptOf = (
  ref: SnapshotRef,
  byId: ReadonlyMap<bigint, Snapshot>,
  options: ExpireOptions,
  now: number
): ReadonlyArray<bigint> => {
  const head = byId.get(ref["snapshot-id"])
  if (head === undefined) return []
  if (ref.type === "tag") return [head["snapshot-id"]]
  const minKept = ref["min-snapshots-to-keep"] ?? options.minKept
  const maxAgeMs = ref["max-snapshot-age-ms"] ?? options.maxAgeMs
  const kept = [head["snapshot-id"]]
  let newer = head
  for (;;) {
    const parent = newer["parent-snapshot-id"]
    const older = parent === undefined ? undefined : byId.get(parent)
    if (older === undefined) return kept
    if (kept.length >= minKept && newer["timestamp-ms"] < now - maxAgeMs) return kept
    kept.push(older["snapshot-id"])
    newer = older
  }
}

/** References past their own age, as far as they are not the main branch (Iceberg spec, "Snapshot Retention Policy"). */
const oldRefs = (refs: Readonly<Record<string, SnapshotRef>>, byId: ReadonlyMap<bigint, Snapshot>, now: number) =>
  Object.entries(refs).flatMap(([name, ref]) => {
    const age = ref["max-ref-age-ms"]
    const head = byId.get(ref["snapshot-id"])
    return name !== MAIN && age !== undefined && head !== undefined && head["timestamp-ms"] < now - age ? [name] : []
  })

interface Plan {
  readonly expired: ReadonlyArray<Snapshot>
  readonly kept: ReadonlyArray<Snapshot>
  readonly updates: ReadonlyArray<TableUpdate>
}

const planOf = (metadata: TableMetadata, options: ExpireOptions, now: number): Plan => {
  const snapshots = metadata.snapshots ?? []
  const byId = new Map(snapshots.map((snapshot) => [snapshot["snapshot-id"], snapshot]))
  const current = currentSnapshot(metadata)
  const refs = {
    ...(current === undefined ? {} : { [MAIN]: { type: "branch" as const, "snapshot-id": current["snapshot-id"] } }),
    ...metadata.refs
  }
  const gone = oldRefs(refs, byId, now)
  const keptIds = new Set(
    Object.entries(refs).flatMap(([name, ref]) => (gone.includes(name) ? [] : keptOf(ref, byId, options, now)))
  )
  const referenced = new Set([...byId.keys()].filter((id) => keptIds.has(id)))
  // Snapshots on no branch are staged ones of others: they go by their age.
  const isExpired = (snapshot: Snapshot) =>
    !referenced.has(snapshot["snapshot-id"]) && snapshot["timestamp-ms"] < now - options.maxAgeMs
  const expired = snapshots.filter(isExpired)
  const removals = options.staleProperties?.(metadata, now) ?? []
  return {
    expired,
    kept: snapshots.filter((snapshot) => !isExpired(snapshot)),
    updates: [
      ...gone.map((name): TableUpdate => ({ action: "remove-snapshot-ref", "ref-name": name })),
      ...(expired.length === 0
        ? []
        : [
            {
              action: "remove-snapshots" as const,
              "snapshot-ids": expired.map((snapshot) => snapshot["snapshot-id"])
            }
          ]),
      ...(removals.length === 0 ? [] : [{ action: "remove-properties" as const, removals }])
    ]
  }
}

/** Files that only expired snapshots need. Reads no manifest unless one of them is of expired snapshots alone. */
const unneeded = Effect.fnUntraced(function* (table: Table, { expired, kept }: Plan) {
  const [before, after] = yield* Effect.all([manifestsIn(table, expired), manifestsIn(table, kept)])
  const manifests = [...before.values()].filter(({ location }) => !after.has(location))
  const data = new Set<string>()
  yield* forEachEntry(table, manifests, (entry) => data.add(entry.file.location))
  if (data.size > 0) {
    yield* forEachEntry(table, after.values(), (entry) => {
      if (isLive(entry)) data.delete(entry.file.location)
    })
  }
  return [...data, ...manifests.map(({ location }) => location), ...expired.map((one) => one["manifest-list"])]
})

/**
 * Removes snapshots that are past their age, references and logs that are past theirs, and then the files that nobody needs any
 * more. The files are looked up before the commit and removed after it, and only when it surely is in. With `dryRun` nothing
 * changes and the answer is what would.
 */
export const expireSnapshots = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  options: ExpireOptions,
  dryRun: boolean
): Effect.fn.Return<Expired, IcebergError> {
  for (let attempt = 1; ; attempt++) {
    const table = yield* catalog.load(name)
    const { metadata } = table
    const plan = planOf(metadata, options, yield* Clock.currentTimeMillis)
    if (plan.updates.length === 0) return { snapshots: 0, files: [] }
    const files = plan.expired.length === 0 ? [] : yield* unneeded(table, plan)
    const result = { snapshots: plan.expired.length, files }
    if (dryRun) return result
    const committed = yield* Effect.result(
      catalog.commit(table, {
        requirements: [
          { type: "assert-table-uuid", uuid: metadata["table-uuid"] },
          {
            type: "assert-ref-snapshot-id",
            ref: MAIN,
            "snapshot-id": currentSnapshot(metadata)?.["snapshot-id"] ?? null
          }
        ],
        updates: plan.updates
      })
    )
    if (committed._tag === "Failure") {
      if (committed.failure.reason !== "Conflict" || attempt === MOST_TRIES) return yield* committed.failure
      continue
    }
    yield* table.store.remove(files)
    return result
  }
})
