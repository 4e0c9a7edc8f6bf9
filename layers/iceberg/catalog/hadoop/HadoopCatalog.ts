import { Clock, Effect } from "effect"
import { IcebergError } from "../../IcebergError.ts"
import { schemeOf, withoutSlash } from "../../io/location.ts"
import type { ObjectStore } from "../../io/ObjectStore.ts"
import { newTableMetadata } from "../../metadata/newTableMetadata.ts"
import type { TableMetadata } from "../../metadata/TableMetadata.ts"
import type { NewTable, TableChange } from "../../metadata/TableUpdate.ts"
import { onceSuccessful } from "../../onceSuccessful.ts"
import type { Catalog, Table, TableName } from "../Catalog.ts"
import { changedMetadata, conflictFor } from "../changedMetadata.ts"
import { encodeMetadata, makeMetadataFiles } from "../metadataFiles.ts"
import { droppedMetadataFiles, removeBestEffort } from "../removeBestEffort.ts"
import { type Attempt, resolveOutcome } from "../resolveOutcome.ts"
import { alreadyExists, checkName, showName } from "../tableName.ts"
import { probeConditionalWrite } from "./probeConditionalWrite.ts"
import { findVersion, hintFile, newestVersion, readHint, versionFile, versionOf } from "./versions.ts"

/** Longest time for writing the hint, which is optional. */
const HINT_DEADLINE = "10 seconds"
/**
 * Versions that are kept whatever the table's properties say. If version N+1 were removed before a slow writer at version N
 * writes its own N+1, that stale write would be accepted.
 */
const KEPT_VERSIONS = 20

export interface HadoopCatalogOptions {
  readonly store: ObjectStore
  /** Location of the folder that contains the tables. */
  readonly warehouse: string
}

/** Writes a version that must not exist yet. False if another writer's file already has its name. */
const writeVersion = (
  store: ObjectStore,
  location: string,
  metadata: TableMetadata
): Effect.Effect<boolean, IcebergError> =>
  Effect.suspend(() => {
    const bytes = encodeMetadata(metadata)
    const send = store.writeNew(location, bytes).pipe(
      Effect.map(
        (written): Attempt<void> =>
          written ? { _tag: "Applied", value: undefined } : { _tag: "Superseded", isCertain: true }
      ),
      Effect.catchIf(
        (error) => error.reason === "Unknown",
        ({ message }) => Effect.succeed<Attempt<void>>({ _tag: "Lost", message })
      )
    )
    // `writeNew` compares the file with ours, so sending again is also how to observe.
    const observe = () => Effect.succeed({ _tag: "Pending" } as const)
    return Effect.map(resolveOutcome({ what: location, send, observe }), ({ _tag }) => _tag === "Applied")
  })

/** Java keeps a checksum next to its hint; with the old checksum it would consider a new hint corrupt. */
const staleChecksum = (folder: string): ReadonlyArray<string> =>
  schemeOf(folder) === "file" ? [`${folder}.version-hint.text.crc`] : []

const writeHint = (store: ObjectStore, folder: string, version: number): Effect.Effect<void> =>
  store.remove(staleChecksum(folder)).pipe(
    Effect.andThen(store.write(hintFile(folder), new TextEncoder().encode(String(version)))),
    Effect.timeout(HINT_DEADLINE),
    Effect.catch((error) => Effect.logWarning(`Could not write ${hintFile(folder)}: ${error.message}`))
  )

/** Whether a version after `version` exists, or existed and was removed. */
const isSuperseded = Effect.fnUntraced(function* (
  store: ObjectStore,
  folder: string,
  version: number
): Effect.fn.Return<boolean, IcebergError> {
  const [hinted, next] = yield* Effect.all([readHint(store, folder), findVersion(store, folder, version + 1)], {
    concurrency: 2
  })
  if (next !== null) return true
  if (hinted === null || hinted <= version) return false
  const newest = yield* newestVersion(store, folder)
  return newest !== null && (versionOf(newest.location) ?? 0) > version
})

/** The dropped metadata files that may be removed after a commit. */
const removableFiles = (folder: string, base: TableMetadata, next: TableMetadata): ReadonlyArray<string> =>
  droppedMetadataFiles(base, next).flatMap((file) => {
    const version = versionOf(file)
    const extra = KEPT_VERSIONS - (next["metadata-log"]?.length ?? 0)
    if (version === null || extra <= 0) return [file]
    return version > extra ? [versionFile(folder, version - extra)] : []
  })

/**
 * Tables identified by their location, `<warehouse>/<namespace>/<table>`, as in Iceberg's HadoopCatalog. The current metadata
 * is the `v<N>.metadata.json` with the greatest N; a commit writes version N+1, which must not exist yet. That is safe among
 * writers that use conditional writes. Java's HadoopCatalog on S3 checks first and then writes, so no such engine may write
 * to the same tables.
 */
export const makeHadoopCatalog = Effect.fnUntraced(function* (
  options: HadoopCatalogOptions
): Effect.fn.Return<Catalog> {
  const { store } = options
  const warehouse = withoutSlash(options.warehouse)
  const files = makeMetadataFiles(store)
  const probe = yield* onceSuccessful(probeConditionalWrite(store, warehouse))
  const locationOf = ({ name, namespace }: TableName): string => [warehouse, ...namespace, name].join("/")
  const folderOf = (name: TableName): string => `${locationOf(name)}/metadata/`

  const load = Effect.fnUntraced(function* (name: TableName): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    const newest = yield* newestVersion(store, folderOf(name))
    if (newest === null) {
      return yield* IcebergError.notFound(`There is no table ${showName(name)} in ${warehouse}.`)
    }
    const { location: metadataLocation, modifiedAt, size } = newest
    const metadata = yield* files.read(metadataLocation, `${size} ${modifiedAt}`)
    return { name, metadata, metadataLocation, store }
  })

  const create = Effect.fnUntraced(function* (name: TableName, table: NewTable): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    const folder = folderOf(name)
    if ((yield* newestVersion(store, folder)) !== null) return yield* alreadyExists(name)
    yield* probe
    const now = yield* Clock.currentTimeMillis
    const metadata = newTableMetadata(table, { location: locationOf(name), uuid: crypto.randomUUID(), now })
    const metadataLocation = versionFile(folder, 1)
    if (!(yield* writeVersion(store, metadataLocation, metadata))) return yield* alreadyExists(name)
    yield* writeHint(store, folder, 1)
    return { name, metadata, metadataLocation, store }
  })

  const commit = Effect.fnUntraced(function* (
    table: Table,
    change: TableChange
  ): Effect.fn.Return<Table, IcebergError> {
    const version = versionOf(table.metadataLocation)
    if (version === null) {
      return yield* IcebergError.invalid(`${table.metadataLocation} is not a table version of this catalog.`)
    }
    if (
      change.updates.some((update) => update.action === "set-properties" && "write.metadata.path" in update.updates)
    ) {
      return yield* IcebergError.invalid(
        "Cannot set write.metadata.path: this catalog finds metadata in the table's own folder."
      )
    }
    yield* probe
    const metadata = yield* changedMetadata(table, change)
    const folder = folderOf(table.name)
    // The write below detects another writer's version only under its plain name, and only if it has not been removed.
    if (yield* isSuperseded(store, folder, version)) return yield* conflictFor(table)
    const metadataLocation = versionFile(folder, version + 1)
    if (!(yield* writeVersion(store, metadataLocation, metadata))) return yield* conflictFor(table)
    yield* writeHint(store, folder, version + 1)
    yield* removeBestEffort(store, removableFiles(folder, table.metadata, metadata))
    return { name: table.name, metadata, metadataLocation, store }
  })

  return { load, create, commit }
})
