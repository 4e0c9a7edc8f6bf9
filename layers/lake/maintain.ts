import { Cause, Effect, Option } from "effect"
import type { IcebergError } from "../iceberg/IcebergError.ts"
import { type Compacted, compactTable } from "../iceberg/maintenance/compact.ts"
import { expireSnapshots } from "../iceberg/maintenance/expire.ts"
import { mergeManifests } from "../iceberg/maintenance/mergeManifests.ts"
import { removeOrphans } from "../iceberg/maintenance/orphans.ts"
import { SILENT } from "../iceberg/table/commit.ts"
import { CREATED_BY } from "./createdBy.ts"
import type { Lake } from "./openLake.ts"
import { LAKE_TABLES, type LakeTable, otherTables } from "./schema.ts"
import { staleWatermarks } from "./watermark.ts"

export interface MaintainOptions {
  readonly snapshotMaxAgeMs: number
  readonly snapshotsMin: number
  /** Null skips orphan removal, the most expensive part: it lists everything. */
  readonly orphanAgeMs: number | null
  readonly compactionBytes: number
}

/** What was done in a table. */
export interface MaintainedTable {
  readonly name: string
  readonly manifestsMerged: number
  readonly compacted: Compacted | null
  readonly snapshotsExpired: number
  readonly filesExpired: number
  readonly orphansRemoved: number
  /** Messages of the parts that failed; the others were done. */
  readonly failures: ReadonlyArray<string>
}

export type Maintained = ReadonlyArray<MaintainedTable>

/** What a part of maintenance failed with, also if it is a defect. */
const failureOf = (cause: Cause.Cause<IcebergError>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error ? failure.message : String(failure)
}

const isOfMissingTable = (cause: Cause.Cause<IcebergError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), ({ reason }) => reason === "NotFound")

const maintainTable = Effect.fnUntraced(function* (
  { catalog, namespace }: Lake,
  table: LakeTable,
  options: MaintainOptions
): Effect.fn.Return<MaintainedTable> {
  const name = { namespace, name: table.name }
  const failures: Array<string> = []
  const attempt = <A>(part: string, work: Effect.Effect<A, IcebergError>) =>
    Effect.catchCause(work, (cause) =>
      Effect.sync(() => {
        // The first flush that has rows for the table creates it.
        if (!isOfMissingTable(cause)) failures.push(`${part}: ${failureOf(cause)}`)
        return null
      })
    )
  const merged = yield* attempt("merging manifests", mergeManifests(catalog, name, SILENT))
  const compacted = yield* attempt(
    "compacting",
    compactTable(
      catalog,
      name,
      { targetBytes: options.compactionBytes, createdBy: CREATED_BY, dryRun: false, onProgress: () => {} },
      SILENT
    )
  )
  const expired = yield* attempt(
    "expiring snapshots",
    expireSnapshots(
      catalog,
      name,
      { maxAgeMs: options.snapshotMaxAgeMs, minKept: options.snapshotsMin, staleProperties: staleWatermarks },
      false
    )
  )
  const orphans =
    options.orphanAgeMs === null
      ? null
      : yield* attempt(
          "removing orphans",
          removeOrphans(catalog, name, { ageMs: options.orphanAgeMs, dryRun: false, others: otherTables(name) })
        )
  return {
    name: table.name,
    manifestsMerged: merged?.replaced ?? 0,
    compacted,
    snapshotsExpired: expired?.snapshots ?? 0,
    filesExpired: expired?.files.length ?? 0,
    orphansRemoved: orphans?.files.length ?? 0,
    failures: [
      ...failures,
      ...(compacted?.failures ?? []).map((failure) => `compacting: ${failure}`),
      ...(orphans?.refused ?? [])
    ]
  }
})

/**
 * Maintains each existing table: merges manifests, compacts past days, expires snapshots, removes orphans. When one part fails, in
 * whatever way, the others still run. Safe alongside writers and other engines; concurrent runs would only conflict with each other.
 */
export const maintain = (lake: Lake, options: MaintainOptions): Effect.Effect<Maintained> =>
  Effect.forEach(LAKE_TABLES, (table) => maintainTable(lake, table, options))
