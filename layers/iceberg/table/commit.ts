import { Clock, Effect, Random, Schedule } from "effect"
import { backoff } from "../backoff.ts"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import { conflictFor } from "../catalog/changedMetadata.ts"
import { IcebergError, nullIfNotFound } from "../IcebergError.ts"
import { LruCache } from "../LruCache.ts"
import type { ManifestFile } from "../manifest/ManifestFile.ts"
import { writeManifestList } from "../manifest/manifestList.ts"
import {
  currentSnapshot,
  hasRowIds,
  MAIN,
  type Snapshot,
  type SnapshotOperation,
  type TableMetadata
} from "../metadata/TableMetadata.ts"
import type { TableUpdate } from "../metadata/TableUpdate.ts"
import { cacheManifests, manifestsOf, metadataPath } from "./files.ts"

/** Delays between the attempts of a commit. */
const FIRST_DELAY_MS = 20
const LAST_DELAY_MS = 2_000
/** Attempts of one commit. After them, everything written for it is kept for a later try. */
const MAX_ATTEMPTS = 12
export const COMMIT_RETRIES = backoff(FIRST_DELAY_MS, LAST_DELAY_MS).pipe(Schedule.upTo({ times: MAX_ATTEMPTS - 1 }))
/** Manifests that are looked up at the same time. */
const HEADS = 16
/** Manifests that every commit looks up, half of them the oldest. More would make commits of concurrent writers conflict more often. */
const ALWAYS_CHECKED = 8
/** How long the others of a table with more of them count as existing, in ms. */
const CHECKED_FOR_MS = 300_000
/** Attempts that follow each other faster look up manifests once: each lookup makes another conflict more likely. */
const RECHECK_MS = 5_000
/** When manifests were last found in the store, in ms since the epoch. */
const foundAt = new LruCache<number>(20_000)
/** Snapshot ids that fit into a double: some readers treat them as such. */
const ID_BITS = 52

/** The content of a snapshot, which is computed for each base that a commit is attempted on. */
export interface SnapshotParts {
  /** All manifests of the snapshot. New ones have the sequence number 0 and are assigned that of the commit. */
  readonly manifests: ReadonlyArray<ManifestFile>
  readonly counts: SummaryCounts
}

/** What a snapshot changed. The totals in its summary are derived from these. */
export interface SummaryCounts {
  readonly addedFiles: number
  readonly deletedFiles: number
  readonly addedRecords: number
  readonly deletedRecords: number
  readonly addedBytes: number
  readonly deletedBytes: number
  readonly changedPartitions: number
}

/** A change to a table that creates a snapshot. */
export interface SnapshotChange {
  readonly operation: SnapshotOperation
  /** The same for every attempt, which identifies a snapshot whose outcome was unknown. */
  readonly snapshotId: bigint
  /** Whether the table already contains the change. Checked before every attempt, so that a lost response does no harm. */
  readonly isApplied: (metadata: TableMetadata) => boolean
  /** Fails if the change is no longer possible on this base. */
  readonly parts: (base: Table, manifests: ReadonlyArray<ManifestFile>) => Effect.Effect<SnapshotParts, IcebergError>
  /** Additional entries of the snapshot's summary. */
  readonly summary: Readonly<Record<string, string>>
  readonly updates: ReadonlyArray<TableUpdate>
}

/** Called while a commit is in progress. */
export interface CommitEvents {
  readonly onConflict: () => void
  readonly onUnknown: () => void
}

export const SILENT: CommitEvents = { onConflict: () => {}, onUnknown: () => {} }

export const newSnapshotId: Effect.Effect<bigint> = Effect.map(Random.nextIntBetween(1, 2 ** ID_BITS - 1), (number) =>
  BigInt(number)
)

/** Whether a table contains a snapshot: `isApplied` of a change that leaves no other trace. */
export const hasSnapshot =
  (snapshotId: bigint) =>
  ({ snapshots }: TableMetadata): boolean =>
    snapshots?.some((snapshot) => snapshot["snapshot-id"] === snapshotId) ?? false

const parentIn = ({ metadata }: Table): bigint | null => currentSnapshot(metadata)?.["snapshot-id"] ?? null

const total = (parent: Snapshot | null, key: string, added: number, deleted: number) => {
  const before = parent === null ? 0 : Number(parent.summary[`total-${key}`] ?? Number.NaN)
  const after = before + added - deleted
  // If the parent does not state its total, the new one is unknown, too.
  return Number.isFinite(after) ? { [`total-${key}`]: String(after) } : {}
}

const changed = (key: string, count: number) => (count === 0 ? {} : { [key]: String(count) })

const summaryOf = (change: SnapshotChange, parent: Snapshot | null, counts: SummaryCounts): Snapshot["summary"] => ({
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

const withSequenceNumber = (manifest: ManifestFile, sequenceNumber: number): ManifestFile =>
  manifest.sequenceNumber === 0
    ? { ...manifest, sequenceNumber, minSequenceNumber: Math.min(manifest.minSequenceNumber, sequenceNumber) }
    : manifest

/** The row ids that a snapshot assigns (Iceberg spec, "Row Lineage"): one after the other to data manifests that have none. */
const withRowIds = (metadata: TableMetadata, manifests: ReadonlyArray<ManifestFile>) => {
  if (!hasRowIds(metadata)) return { manifests, rowIds: {} }
  const first = metadata["next-row-id"] ?? 0
  let next = first
  const assigned = manifests.map((manifest) => {
    if (manifest.content !== 0 || (manifest.firstRowId ?? null) !== null) return manifest
    const firstRowId = next
    next += manifest.addedRows + manifest.existingRows
    return { ...manifest, firstRowId }
  })
  return { manifests: assigned, rowIds: { "first-row-id": first, "added-rows": next - first } }
}

/**
 * Fails if a manifest of the new snapshot is missing. Lists and manifests are known from earlier commits of this process, and files that
 * were deleted since would otherwise go unnoticed: the commit would succeed, and no reader could read the table. Of many manifests, the
 * newest and the oldest are looked up each time, which finds an emptied bucket and one whose old files expire. `Conflict` if the base
 * is out of date, because the manifests of an older snapshot may have been removed.
 */
const checkManifests = Effect.fnUntraced(function* (
  catalog: Catalog,
  base: Table,
  manifests: ReadonlyArray<ManifestFile>
): Effect.fn.Return<void, IcebergError> {
  const now = yield* Clock.currentTimeMillis
  const checked = manifests.filter(
    ({ location }, index) =>
      index < ALWAYS_CHECKED / 2 ||
      index >= manifests.length - ALWAYS_CHECKED / 2 ||
      (foundAt.get(location) ?? now) < now - CHECKED_FOR_MS
  )
  const found = yield* Effect.forEach(checked, ({ location }) => nullIfNotFound(base.store.head(location)), {
    concurrency: HEADS
  })
  const missing = checked.find((_, index) => found[index] === null)
  if (missing === undefined) {
    for (const { location } of checked) foundAt.set(location, now)
    // A manifest that is new here was committed a moment ago.
    for (const { location } of manifests) if (foundAt.get(location) === null) foundAt.set(location, now)
    return
  }
  const latest = yield* catalog.load(base.name)
  if (parentIn(latest) !== parentIn(base)) return yield* conflictFor(base)
  return yield* IcebergError.invalid(
    `Manifest ${missing.location} of table ${base.name.name} is missing, so nothing is added to the table. Restore the deleted files, or drop the table from the catalog to start a new one.`
  )
})

/** One attempt on a base. Its manifest list is removed if it was certainly not committed; if in doubt, everything is kept. */
const commitOn = Effect.fnUntraced(function* (
  catalog: Catalog,
  base: Table,
  change: SnapshotChange,
  attempt: { readonly number: number; readonly checksManifests: boolean }
): Effect.fn.Return<Table, IcebergError> {
  const parent = currentSnapshot(base.metadata)
  const { counts, manifests } = yield* change.parts(base, yield* manifestsOf(base, parent))
  const sequenceNumber = base.metadata["last-sequence-number"] + 1
  const now = yield* Clock.currentTimeMillis
  const { manifests: numbered, rowIds } = withRowIds(
    base.metadata,
    manifests.map((manifest) => withSequenceNumber(manifest, sequenceNumber))
  )
  const ids = {
    "snapshot-id": change.snapshotId,
    ...(parent === null ? {} : { "parent-snapshot-id": parent["snapshot-id"] }),
    "sequence-number": sequenceNumber
  }
  const list = metadataPath(base, `snap-${change.snapshotId}-${attempt.number}-${crypto.randomUUID()}.avro`)
  const removeList = Effect.ignore(base.store.remove([list]))
  yield* Effect.all(
    [
      base.store.write(list, writeManifestList(ids, numbered, base.metadata["format-version"])),
      attempt.checksManifests ? checkManifests(catalog, base, numbered) : Effect.void
    ],
    { concurrency: 2, discard: true }
  ).pipe(Effect.tapError(() => removeList))
  const snapshot: Snapshot = {
    ...ids,
    "timestamp-ms": Math.max(now, base.metadata["last-updated-ms"]),
    "manifest-list": list,
    summary: summaryOf(change, parent, counts),
    "schema-id": base.metadata["current-schema-id"],
    ...rowIds
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
      Effect.tap(() => Effect.sync(() => cacheManifests(list, numbered))),
      Effect.tapError((error) => (error.reason === "Unknown" ? Effect.void : removeList))
    )
})

/**
 * Commits a change, first on `base` if given, otherwise and after that on the latest state of the table. `Conflict` and
 * `Unknown` are retried after checking whether the table already contains the change. A catalog accepts one change per base,
 * so an attempt that is still in flight and a later one cannot both be applied. Whatever the outcome, everything written for
 * the change is kept, and the same change may be committed again later. Fails with `Unknown` if it may have been applied; after any
 * other failure it certainly was not and will not be.
 */
export const commitSnapshot = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  change: SnapshotChange,
  events: CommitEvents,
  base?: Table
): Effect.fn.Return<Table, IcebergError> {
  let attempts = 0
  /** When an attempt last looked up manifests, in ms since the epoch. */
  let checkedAt = Number.NEGATIVE_INFINITY
  /** The last attempt whose outcome is unknown, and the snapshot that it followed. */
  let unknown: { readonly error: IcebergError; readonly parent: bigint | null } | null = null

  const attempt = Effect.gen(function* () {
    attempts++
    const table = attempts === 1 && base !== undefined ? base : yield* catalog.load(name)
    if (change.isApplied(table.metadata)) return table
    // Another snapshot followed the same parent, so the earlier attempt can no longer be applied.
    if (unknown !== null && unknown.parent !== parentIn(table)) unknown = null
    const now = yield* Clock.currentTimeMillis
    const checksManifests = now - checkedAt >= RECHECK_MS
    if (checksManifests) checkedAt = now
    return yield* commitOn(catalog, table, change, { number: attempts, checksManifests }).pipe(
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (error.reason === "Conflict") events.onConflict()
          if (error.reason !== "Unknown") return
          events.onUnknown()
          unknown = { error, parent: parentIn(table) }
        })
      )
    )
  })
  return yield* attempt.pipe(
    Effect.retry({ while: ({ reason }) => reason === "Conflict" || reason === "Unknown", schedule: COMMIT_RETRIES }),
    Effect.mapError((error) => {
      if (unknown !== null) return error.reason === "Conflict" ? unknown.error : IcebergError.unknown(error.message)
      return error.reason === "Conflict"
        ? IcebergError.conflict(
            `Table ${name.name} changes too quickly: ${MAX_ATTEMPTS} attempts to commit conflicted with other commits.`
          )
        : error
    })
  )
})
