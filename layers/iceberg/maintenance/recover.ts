import { Effect } from "effect"
import type { Catalog, TableName } from "../catalog/Catalog.ts"
import { showName } from "../catalog/tableName.ts"
import { IcebergError, nullIfNotFound } from "../IcebergError.ts"
import { canonicalLocation } from "../io/location.ts"
import { currentSnapshot, type TableMetadata } from "../metadata/TableMetadata.ts"
import { folderOf, newestMetadata, uuidsIn } from "./newestMetadata.ts"

export interface RecoverOptions {
  readonly dryRun: boolean
  /** Whether commits that were made after the catalog was rolled back may be abandoned. */
  readonly force: boolean
}

/** What the catalog names and what it should name. */
export interface Recovered {
  readonly from: string
  readonly isFromMissing: boolean
  /** The newest metadata of the table; equal to `from` if the catalog names it. */
  readonly to: string
  /** Rows of the table as the catalog has it; null if its metadata is missing or does not say. */
  readonly rowsBefore: number | null
  readonly rowsAfter: number | null
  /** Why the pointer was left as it is; null if nothing is in the way. */
  readonly refused: string | null
}

const rowsOf = (metadata: TableMetadata | null): number | null => {
  const total = metadata === null ? undefined : currentSnapshot(metadata)?.summary["total-records"]
  return total === undefined ? null : Number(total)
}

/** Whether the metadata that the catalog names is one of those that led to the newest. */
const isAncestor = (location: string, newest: TableMetadata): boolean =>
  newest["metadata-log"]?.some((entry) => canonicalLocation(entry["metadata-file"]) === canonicalLocation(location)) ??
  false

/** The uuid of the table that a missing metadata file described: that of all other files in its folder. */
const onlyUuidIn = Effect.fnUntraced(function* (
  store: NonNullable<Catalog["pointers"]>["store"],
  folder: string
): Effect.fn.Return<string, IcebergError> {
  const [uuid, ...others] = yield* uuidsIn(store, folder)
  if (uuid === undefined) return yield* IcebergError.invalid(`There is no table metadata in ${folder}.`)
  if (others.length === 0) return uuid
  return yield* IcebergError.invalid(
    `${folder} has the metadata of ${others.length + 1} tables: ${[uuid, ...others].join(", ")}. Point the catalog to the right file by hand.`
  )
})

/**
 * Points a catalog that was rolled back, or that names a missing file, to the newest metadata of the table. Only catalogs that store
 * pointers can be rolled back; `Invalid` for the others. Commits that were made since the rollback are not in the newest metadata: then
 * the pointer is changed only by force.
 */
export const recoverTable = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  { dryRun, force }: RecoverOptions
): Effect.fn.Return<Recovered, IcebergError> {
  const { pointers } = catalog
  if (pointers === undefined) {
    return yield* IcebergError.invalid("Only tables in a jdbc or glue catalog can be recovered.")
  }
  const from = yield* pointers.read(name)
  const current = yield* nullIfNotFound(pointers.metadata(from))
  const folder = folderOf(from)
  const uuid = current?.["table-uuid"].toLowerCase() ?? (yield* onlyUuidIn(pointers.store, folder))
  const to = (yield* newestMetadata(pointers.store, folder, (found) => found === uuid)) ?? from
  const newest = yield* pointers.metadata(to)
  const isFork = current !== null && to !== from && !isAncestor(from, newest)
  const result = {
    from,
    isFromMissing: current === null,
    to,
    rowsBefore: rowsOf(current),
    rowsAfter: rowsOf(newest),
    refused:
      isFork && !force
        ? `${showName(name)} has commits that are not in ${to}: they were made after the catalog was rolled back, and their rows would be abandoned. Use --force to do that.`
        : null
  }
  if (to === from || dryRun || result.refused !== null) return result
  yield* pointers.move(name, from, to)
  return result
})
