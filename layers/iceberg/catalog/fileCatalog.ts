import { Clock, Effect } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import { withoutSlash } from "../io/location.ts"
import type { ObjectStore } from "../io/ObjectStore.ts"
import { newTableMetadata } from "../metadata/newTableMetadata.ts"
import type { NewTable, TableChange } from "../metadata/TableUpdate.ts"
import type { Catalog, Table, TableName } from "./Catalog.ts"
import { addedSnapshots, changedMetadata } from "./changedMetadata.ts"
import { makeMetadataFiles, nextMetadataLocation } from "./metadataFiles.ts"
import { forgottenFiles, removeBestEffort } from "./removeBestEffort.ts"
import { type Pointer, swapPointer } from "./swapPointer.ts"
import { checkName, showName } from "./tableName.ts"

/** How often a load follows a pointer whose file was replaced and removed before it could be read. */
const LOADS = 3

/** A catalog that keeps a pointer to each table's current metadata file, and nothing more. */
export interface PointerCatalog {
  readonly store: ObjectStore
  /** What the catalog itself demands of names. */
  readonly check: (name: TableName) => Effect.Effect<void, IcebergError>
  readonly pointer: (name: TableName, next?: Table["metadata"]) => Pointer
  /** Makes the namespace when it is missing; the answer is where a new table's files go. */
  readonly prepare: (name: TableName) => Effect.Effect<string, IcebergError>
  /** Longest metadata location that the catalog can hold, in characters. */
  readonly maxLocation: number
}

/**
 * What jdbc and Glue have in common: metadata is written to a file of its own, then the pointer is swapped (Iceberg's
 * `BaseMetastoreTableOperations`). A file whose commit is certain to have failed is removed; in doubt, everything stays.
 */
export const makeFileCatalog = ({ check, maxLocation, pointer, prepare, store }: PointerCatalog): Catalog => {
  const files = makeMetadataFiles(store)

  const load = Effect.fnUntraced(function* (name: TableName): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    yield* check(name)
    let gone: string | undefined
    for (let load = 0; load < LOADS; load++) {
      const metadataLocation = yield* pointer(name).read
      if (metadataLocation === gone) break
      const metadata = yield* files.read(metadataLocation).pipe(
        Effect.catchIf(
          (error) => error.reason === "NotFound",
          () => Effect.succeed(undefined)
        )
      )
      if (metadata !== undefined) return { name, metadata, metadataLocation, store }
      gone = metadataLocation
    }
    return yield* icebergError(
      "Invalid",
      `The catalog says that ${showName(name)} is described by ${gone}, which is not there.`
    )
  })

  /** Writes the metadata and swaps the pointer to it. `lost` is the failure when somebody else was first. */
  const put = Effect.fnUntraced(function* (
    name: TableName,
    base: Table | null,
    metadata: Table["metadata"],
    snapshots: ReadonlyArray<bigint>,
    lost: IcebergError
  ): Effect.fn.Return<Table, IcebergError> {
    const ours = nextMetadataLocation(base?.metadataLocation ?? null, metadata)
    if (ours.length > maxLocation) {
      return yield* icebergError(
        "Invalid",
        `${ours} is longer than the ${maxLocation} characters that the catalog holds.`
      )
    }
    const removeOurs = removeBestEffort(store, [ours])
    yield* files.write(ours, metadata).pipe(Effect.tapError(() => removeOurs))
    const outcome = yield* swapPointer({
      pointer: pointer(name, metadata),
      files,
      base: base?.metadataLocation ?? null,
      ours,
      snapshots
    }).pipe(
      Effect.tapError((error) => (error.reason === "Unknown" || error.reason === "NotFound" ? Effect.void : removeOurs))
    )
    if (outcome._tag === "Lost") {
      if (outcome.certain) yield* removeOurs
      return yield* lost
    }
    return { name, metadata, metadataLocation: ours, store }
  })

  const create = Effect.fnUntraced(function* (name: TableName, table: NewTable): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    yield* check(name)
    const exists = icebergError("AlreadyExists", `There is a table ${showName(name)} already.`)
    const found = yield* pointer(name).read.pipe(
      Effect.as(true),
      Effect.catchIf(
        (error) => error.reason === "NotFound",
        () => Effect.succeed(false)
      )
    )
    if (found) return yield* exists
    const location = withoutSlash(yield* prepare(name))
    const now = yield* Clock.currentTimeMillis
    return yield* put(name, null, newTableMetadata(table, { location, uuid: crypto.randomUUID(), now }), [], exists)
  })

  const commit = Effect.fnUntraced(function* (
    table: Table,
    change: TableChange
  ): Effect.fn.Return<Table, IcebergError> {
    const metadata = yield* changedMetadata(table, change)
    const conflict = icebergError("Conflict", `Somebody else changed ${showName(table.name)} first.`)
    const committed = yield* put(table.name, table, metadata, addedSnapshots(change), conflict)
    yield* removeBestEffort(store, forgottenFiles(table.metadata, metadata))
    return committed
  })

  return { load, create, commit }
}
