import { Clock, Effect, Random } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import { writeManifestList } from "../manifest/manifestList.ts"
import {
  currentSnapshot,
  MAIN,
  type Snapshot,
  type SnapshotOperation,
  type TableMetadata
} from "../metadata/TableMetadata.ts"
import type { TableUpdate } from "../metadata/TableUpdate.ts"
import { manifestsOf, metadataPath, rememberManifests } from "./files.ts"

/** Waits between tries double from the first to the last figure and are cut at random, so that two writers part. */
const FIRST_WAIT_MS = 20
const LAST_WAIT_MS = 2_000
/** Tries of one commit before it is left for later, with all that was written for it. */
const MOST_TRIES = 12
/** Snapshot ids that a double holds: some readers take them for one. */
const ID_BITS = 52

/** What a snapshot is made of, once for each base that it is tried on. */
export interface SnapshotParts {
  /** All manifests of the snapshot; those that are new have the sequence number 0 and get the commit's. */
  readonly manifests: ReadonlyArray<ManifestFile>
  /** Counts of what changed, `added-records` and the like; the totals are worked out from them. */
  readonly counts: SummaryCounts
}

export interface SummaryCounts {
  readonly addedFiles: number
  readonly deletedFiles: number
  readonly addedRecords: number
  readonly deletedRecords: number
  readonly addedBytes: number
  readonly deletedBytes: number
  readonly changedPartitions: number
}

/** A change of a table that makes a snapshot. */
export interface SnapshotChange {
  readonly operation: SnapshotOperation
  /** The same for every try, so that a snapshot of an unknown fate is known when it turns up. */
  readonly snapshotId: bigint
  /** Whether the table holds the change already. Looked at before every try: a lost answer does no harm. */
  readonly isApplied: (metadata: TableMetadata) => boolean
  /** Fails with `Conflict` when the change makes no sense any more on this base. */
  readonly parts: (base: Table, manifests: ReadonlyArray<ManifestFile>) => Effect.Effect<SnapshotParts, IcebergError>
  /** Further entries of the snapshot's summary. */
  readonly summary: Readonly<Record<string, string>>
  readonly updates: ReadonlyArray<TableUpdate>
}

/** Told of what happens to commits. */
export interface CommitEvents {
  readonly onConflict: () => void
  readonly onUnknown: () => void
}

export const SILENT: CommitEvents = { onConflict: () => {}, onUnknown: () => {} }

export const newSnapshotId: Effect.Effect<bigint> = Effect.map(Random.nextIntBetween(1, 2 ** ID_BITS - 1), (number) =>
  BigInt(number)
)

/** Whether a table holds a snapshot: `isApplied` of a change that leaves no other trace. */
export const hasSnapshot =
  (snapshotId: bigint) =>
  ({ snapshots }: TableMetadata): boolean =>
    snapshots?.some((one) => one["snapshot-id"] === snapshotId) ?? false

const total = (parent: Snapshot | undefined, key: string, added: number, deleted: number) => {
  const before = parent === undefined ? 0 : Number(parent.summary[`total-${key}`] ?? Number.NaN)
  const after = before + added - deleted
  // A parent that does not tell makes a total that nobody knows.
  return Number.isFinite(after) ? { [`total-${key}`]: String(after) } : {}
}

const changed = (key: string, count: number) => (count === 0 ? {} : { [key]: String(count) })

const summaryOf = (
  change: SnapshotChange,
  parent: Snapshot | undefined,
  counts: SummaryCounts
): Snapshot["summary"] => ({
  operation: change.operation,
  ...changed("added-data-files", counts.addedFiles),
  ...changed("deleted-data-files", counts.deletedFiles),
  ...changed("added-records", counts.addedRecords),
  ...changed("deleted-records", counts.deletedRecords),
  ...changed("added-files-size", counts.addedBytes),
  ...changed("removed-files-size", counts.deletedBytes),
  "changed-partition-count": String(counts.changedPartitions),
  ...total(parent, "records", counts.addedRecords, counts.deletedRecords),
  ...total(parent, "files-size", counts.addedBytes, counts.deletedBytes),
  ...total(parent, "data-files", counts.addedFiles, counts.deletedFiles),
  ...total(parent, "delete-files", 0, 0),
  ...total(parent, "position-deletes", 0, 0),
  ...total(parent, "equality-deletes", 0, 0),
  ...change.summary
})

/** One try on a base. A manifest list that a definite conflict leaves over is removed; on any doubt all stays. */
const tryCommit = Effect.fnUntraced(function* (catalog: Catalog, base: Table, change: SnapshotChange, attempt: number) {
  const parent = currentSnapshot(base.metadata)
  const { counts, manifests } = yield* change.parts(base, yield* manifestsOf(base, parent))
  const sequenceNumber = base.metadata["last-sequence-number"] + 1
  const now = yield* Clock.currentTimeMillis
  const listed = manifests.map((manifest) =>
    manifest.sequenceNumber === 0
      ? {
          ...manifest,
          sequenceNumber,
          minSequenceNumber: Math.min(manifest.minSequenceNumber, sequenceNumber)
        }
      : manifest
  )
  const ids = {
    "snapshot-id": change.snapshotId,
    ...(parent === undefined ? {} : { "parent-snapshot-id": parent["snapshot-id"] }),
    "sequence-number": sequenceNumber
  }
  const list = metadataPath(base, `snap-${change.snapshotId}-${attempt}-${crypto.randomUUID()}.avro`)
  yield* base.store.write(list, writeManifestList(ids, listed))
  const snapshot: Snapshot = {
    ...ids,
    "timestamp-ms": Math.max(now, base.metadata["last-updated-ms"]),
    "manifest-list": list,
    summary: summaryOf(change, parent, counts),
    "schema-id": base.metadata["current-schema-id"]
  }
  return yield* catalog
    .commit(base, {
      requirements: [
        { type: "assert-table-uuid", uuid: base.metadata["table-uuid"] },
        { type: "assert-ref-snapshot-id", ref: MAIN, "snapshot-id": parent?.["snapshot-id"] ?? null }
      ],
      updates: [
        { action: "add-snapshot", snapshot },
        { action: "set-snapshot-ref", "ref-name": MAIN, type: "branch", "snapshot-id": change.snapshotId },
        ...change.updates
      ]
    })
    .pipe(
      Effect.tap(() => Effect.sync(() => rememberManifests(list, listed))),
      Effect.tapError((error) => (error.reason === "Conflict" ? Effect.ignore(base.store.remove([list])) : Effect.void))
    )
})

/**
 * Commits a change, on the base given first, if one is, then on fresh ones until it is in or gives up. `Conflict` and
 * `Unknown` are tried again on a table loaded anew, after a look whether it holds the change already; since a catalog lets one
 * change through on a base, a try that still hangs somewhere and a later one can't both get in. Whatever comes out, what was
 * written for the change stays, and the same change may be committed again later. `Unknown` after the last try means that it
 * may be in.
 */
export const commitSnapshot = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  change: SnapshotChange,
  events: CommitEvents,
  base?: Table
): Effect.fn.Return<Table, IcebergError> {
  let known = base
  let last = icebergError(
    "Conflict",
    `Table ${name.name} changes too fast: ${MOST_TRIES} tries to commit met another commit.`
  )
  for (let attempt = 1; attempt <= MOST_TRIES; attempt++) {
    const table: Table = known ?? (yield* catalog.load(name))
    if (change.isApplied(table.metadata)) return table
    const outcome = yield* Effect.result(tryCommit(catalog, table, change, attempt))
    if (outcome._tag === "Success") return outcome.success
    const error = outcome.failure
    if (error.reason === "Unknown") events.onUnknown()
    else if (error.reason === "Conflict") events.onConflict()
    else return yield* error
    if (error.reason === "Unknown") last = error
    known = undefined
    const wait = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1))
    yield* Effect.sleep(wait / 2 + (yield* Random.next) * (wait / 2))
  }
  return yield* last
})
