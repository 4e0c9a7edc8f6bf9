import {
  currentSnapshot,
  MAIN,
  type Snapshot,
  type SnapshotRef,
  type TableMetadata
} from "../../metadata/TableMetadata.ts"
import type { TableUpdate } from "../../metadata/TableUpdate.ts"
import { retentionOf } from "../../metadata/tableProperties.ts"

export interface ExpireOptions {
  /** How long a snapshot is kept after it was replaced, in ms. The table's properties and a reference's own setting take precedence. */
  readonly maxAgeMs: number
  /** How many of a branch's newest snapshots are kept whatever their age. */
  readonly minKept: number
  /** Table properties that are no longer needed and are removed with the snapshots; none by default. `now` is in ms. */
  readonly staleProperties?: (metadata: TableMetadata, now: number) => ReadonlyArray<string>
}

export interface ExpiryPlan {
  readonly expired: ReadonlyArray<Snapshot>
  readonly kept: ReadonlyArray<Snapshot>
  readonly updates: ReadonlyArray<TableUpdate>
}

type SnapshotsById = ReadonlyMap<bigint, Snapshot>
type Refs = Readonly<Record<string, SnapshotRef>>

/** The snapshots that a reference keeps: the newest of a branch, and older ones while their successor is young. */
const keptBy = (ref: SnapshotRef, byId: SnapshotsById, options: ExpireOptions, now: number): ReadonlyArray<bigint> => {
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

/** References that exceed their own maximum age; never the main branch (Iceberg spec, "Snapshot Retention Policy"). */
const expiredRefs = (refs: Refs, byId: SnapshotsById, maxAgeMs: number | null, now: number): ReadonlyArray<string> =>
  Object.entries(refs).flatMap(([name, ref]) => {
    const age = ref["max-ref-age-ms"] ?? maxAgeMs ?? undefined
    const head = byId.get(ref["snapshot-id"])
    return name !== MAIN && age !== undefined && head !== undefined && head["timestamp-ms"] < now - age ? [name] : []
  })

const refsOf = (metadata: TableMetadata): Refs => {
  const current = currentSnapshot(metadata)
  const main: Refs = current === null ? {} : { [MAIN]: { type: "branch", "snapshot-id": current["snapshot-id"] } }
  return { ...main, ...metadata.refs }
}

/** Which snapshots, references and properties of a table have expired at `now`, in ms since the epoch. */
export const planExpiry = (metadata: TableMetadata, defaults: ExpireOptions, now: number): ExpiryPlan => {
  const { maxRefAgeMs, maxSnapshotAgeMs, minSnapshotsToKeep } = retentionOf(metadata)
  const options: ExpireOptions = {
    ...defaults,
    maxAgeMs: maxSnapshotAgeMs ?? defaults.maxAgeMs,
    minKept: minSnapshotsToKeep ?? defaults.minKept
  }
  const snapshots = metadata.snapshots ?? []
  const byId = new Map(snapshots.map((snapshot) => [snapshot["snapshot-id"], snapshot]))
  const refs = refsOf(metadata)
  const removedRefs = expiredRefs(refs, byId, maxRefAgeMs, now)
  const keptIds = new Set(
    Object.entries(refs).flatMap(([name, ref]) => (removedRefs.includes(name) ? [] : keptBy(ref, byId, options, now)))
  )
  // Snapshots on no branch were staged by other engines; they expire by their age.
  const isExpired = (snapshot: Snapshot) =>
    !keptIds.has(snapshot["snapshot-id"]) && snapshot["timestamp-ms"] < now - options.maxAgeMs
  const expired = snapshots.filter(isExpired)
  const removals = options.staleProperties?.(metadata, now) ?? []
  const updates: Array<TableUpdate> = removedRefs.map((name) => ({ action: "remove-snapshot-ref", "ref-name": name }))
  if (expired.length > 0) {
    updates.push({ action: "remove-snapshots", "snapshot-ids": expired.map((snapshot) => snapshot["snapshot-id"]) })
  }
  if (removals.length > 0) updates.push({ action: "remove-properties", removals })
  return { expired, kept: snapshots.filter((snapshot) => !isExpired(snapshot)), updates }
}
