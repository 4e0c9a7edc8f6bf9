import { Clock, Data, Effect } from "effect"
import { IcebergError, nullIfNotFound } from "../IcebergError.ts"
import { withoutSlash } from "../io/location.ts"
import type { ObjectStore } from "../io/ObjectStore.ts"
import { newTableMetadata } from "../metadata/newTableMetadata.ts"
import type { NewTable, TableChange } from "../metadata/TableUpdate.ts"
import type { Catalog, Pointers, Table, TableName } from "./Catalog.ts"
import { addedSnapshots, changedMetadata, conflictFor } from "./changedMetadata.ts"
import { type MetadataFiles, makeMetadataFiles, nextMetadataLocation } from "./metadataFiles.ts"
import { droppedMetadataFiles, removeBestEffort } from "./removeBestEffort.ts"
import { type Pointer, swapPointer } from "./swapPointer.ts"
import { alreadyExists, checkName, showName } from "./tableName.ts"

/** How many times a load reads the pointer if its file is replaced and removed before it could be read. */
const LOAD_ATTEMPTS = 3

/** A catalog that stores only a pointer to each table's current metadata file. */
export interface PointerCatalog {
  readonly store: ObjectStore
  /** The catalog's own restrictions on names. */
  readonly check: (name: TableName) => Effect.Effect<void, IcebergError>
  readonly pointer: (name: TableName, next?: Table["metadata"]) => Pointer
  /** Creates the namespace if it is missing and returns the location that a new table's own location begins with. */
  readonly prepare: (name: TableName) => Effect.Effect<string, IcebergError>
  /** Longest metadata location that the catalog can store, in characters. */
  readonly maxLocation: number
}

class MetadataFileGone extends Data.TaggedError("MetadataFileGone")<{ readonly location: string }> {}

const readTable = Effect.fnUntraced(function* (
  { pointer, store }: PointerCatalog,
  files: MetadataFiles,
  name: TableName
): Effect.fn.Return<Table, IcebergError | MetadataFileGone> {
  const metadataLocation = yield* pointer(name).read
  const metadata = yield* nullIfNotFound(files.read(metadataLocation))
  if (metadata === null) return yield* new MetadataFileGone({ location: metadataLocation })
  return { name, metadata, metadataLocation, store }
})

/** New metadata for a table, which replaces that of `base`. */
interface Write {
  readonly name: TableName
  /** Null for a new table. */
  readonly base: Table | null
  readonly metadata: Table["metadata"]
  /** Snapshots that the metadata adds. */
  readonly snapshots: ReadonlyArray<bigint>
  /** The failure if another writer was first. */
  readonly superseded: IcebergError
}

/** Writes the metadata file, then swaps the pointer to it. The file is removed if the commit certainly failed. */
const writeTable = Effect.fnUntraced(function* (
  { maxLocation, pointer, store }: PointerCatalog,
  files: MetadataFiles,
  { base, metadata, name, snapshots, superseded }: Write
): Effect.fn.Return<Table, IcebergError> {
  const baseLocation = base?.metadataLocation ?? null
  const ours = nextMetadataLocation(baseLocation, metadata)
  if (ours.length > maxLocation) {
    return yield* IcebergError.invalid(
      `${ours} is longer than the ${maxLocation} characters that the catalog can store.`
    )
  }
  const removeOurs = removeBestEffort(store, [ours])
  yield* files.write(ours, metadata).pipe(Effect.tapError(() => removeOurs))
  const outcome = yield* swapPointer({
    pointer: pointer(name, metadata),
    files,
    base: baseLocation,
    ours,
    snapshots
  }).pipe(
    Effect.tapError((error) => (error.reason === "Unknown" || error.reason === "NotFound" ? Effect.void : removeOurs))
  )
  if (outcome._tag === "Superseded") {
    if (outcome.isCertain) yield* removeOurs
    return yield* superseded
  }
  return { name, metadata, metadataLocation: ours, store }
})

/**
 * What the JDBC and Glue catalogs have in common: each version of the metadata is a file of its own, and a commit swaps the
 * pointer (Iceberg's `BaseMetastoreTableOperations`).
 */
export const makeFileCatalog = (catalog: PointerCatalog): Catalog => {
  const { check, pointer, prepare, store } = catalog
  const files = makeMetadataFiles(store)

  const load = Effect.fnUntraced(function* (name: TableName): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    yield* check(name)
    return yield* readTable(catalog, files, name).pipe(
      Effect.retry({ times: LOAD_ATTEMPTS - 1, while: ({ _tag }) => _tag === "MetadataFileGone" }),
      Effect.catchTag("MetadataFileGone", ({ location }) =>
        Effect.fail(IcebergError.invalid(`The metadata file of ${showName(name)} is missing: ${location}.`))
      )
    )
  })

  const create = Effect.fnUntraced(function* (name: TableName, table: NewTable): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    yield* check(name)
    const superseded = alreadyExists(name)
    if ((yield* nullIfNotFound(pointer(name).read)) !== null) return yield* superseded
    const uuid = crypto.randomUUID()
    // The catalog frees a name when its table is renamed or dropped, and never looks at locations: without the uuid, two tables
    // could share one.
    const location = `${withoutSlash(yield* prepare(name))}-${uuid}`
    const now = yield* Clock.currentTimeMillis
    const metadata = newTableMetadata(table, { location, uuid, now })
    return yield* writeTable(catalog, files, { name, base: null, metadata, snapshots: [], superseded })
  })

  const commit = Effect.fnUntraced(function* (
    table: Table,
    change: TableChange
  ): Effect.fn.Return<Table, IcebergError> {
    const metadata = yield* changedMetadata(table, change)
    const committed = yield* writeTable(catalog, files, {
      name: table.name,
      base: table,
      metadata,
      snapshots: addedSnapshots(change),
      superseded: conflictFor(table)
    })
    yield* removeBestEffort(store, droppedMetadataFiles(table.metadata, metadata))
    return committed
  })

  const move = Effect.fnUntraced(function* (
    name: TableName,
    from: string,
    to: string
  ): Effect.fn.Return<void, IcebergError> {
    const moved = yield* pointer(name, yield* files.read(to)).swap(from, to)
    if (!moved) return yield* IcebergError.conflict(`Another writer changed ${showName(name)} first.`)
  })

  const pointers: Pointers = {
    store,
    read: (name) => Effect.andThen(Effect.andThen(checkName(name), check(name)), pointer(name).read),
    metadata: (location) => files.read(location),
    move
  }

  return { load, create, commit, pointers }
}
