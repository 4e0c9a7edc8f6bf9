import { Clock, Effect, Option, Result } from "effect"
import { type IcebergError, icebergError } from "../../IcebergError.ts"
import { schemeOf, withoutSlash } from "../../io/location.ts"
import type { ObjectStore, StoredObject } from "../../io/ObjectStore.ts"
import { newTableMetadata } from "../../metadata/newTableMetadata.ts"
import type { NewTable, TableChange } from "../../metadata/TableUpdate.ts"
import { onceSuccessful } from "../../onceSuccessful.ts"
import type { Catalog, Table, TableName } from "../Catalog.ts"
import { changedMetadata } from "../changedMetadata.ts"
import { encodeMetadata, makeMetadataFiles } from "../metadataFiles.ts"
import { forgottenFiles, removeBestEffort } from "../removeBestEffort.ts"
import { CHECKS_MS, withinSettling } from "../settling.ts"
import { checkName, showName } from "../tableName.ts"
import { keepsWhatIsThere } from "./keepsWhatIsThere.ts"
import { findVersion, hintFile, newestVersion, readHint, versionFile, versionOf } from "./versions.ts"

/** How long the hint may take, which nobody depends on. */
const HINT_DEADLINE = "10 seconds"
/**
 * Versions that stay whatever the table's properties say. Were version N+1 removed before a slow writer that stands at N has
 * written its own, that one would pass for new.
 */
const KEPT_VERSIONS = 20

export interface HadoopCatalogOptions {
  readonly store: ObjectStore
  /** The folder, by its location, under which tables are found. */
  readonly warehouse: string
}

/**
 * Tables known by their place alone, `<warehouse>/<namespace>/<table>`, as Iceberg's HadoopCatalog keeps them: the current
 * metadata is the `v<N>.metadata.json` with the greatest N. A commit writes version N+1 where nothing is yet. That is safe
 * among writers that do so; Java's HadoopCatalog looks and then writes on S3, so let no such engine write beside us there.
 */
export const makeHadoopCatalog = Effect.fnUntraced(function* (
  options: HadoopCatalogOptions
): Effect.fn.Return<Catalog> {
  const { store } = options
  const warehouse = withoutSlash(options.warehouse)
  const files = makeMetadataFiles(store)
  const trusted = yield* onceSuccessful(keepsWhatIsThere(store, warehouse))
  const locationOf = ({ name, namespace }: TableName): string => [warehouse, ...namespace, name].join("/")
  const folderOf = (name: TableName): string => `${locationOf(name)}/metadata/`

  const tableAt = (name: TableName, { location, modifiedAt, size }: StoredObject): Effect.Effect<Table, IcebergError> =>
    Effect.map(files.read(location, `${size} ${modifiedAt}`), (metadata) => ({
      name,
      metadata,
      metadataLocation: location,
      store
    }))

  const load = Effect.fnUntraced(function* (name: TableName): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    const newest = yield* newestVersion(store, folderOf(name))
    if (Option.isNone(newest)) {
      return yield* icebergError("NotFound", `There is no table ${showName(name)} in ${warehouse}.`)
    }
    return yield* tableAt(name, newest.value)
  })

  /** Java leaves a checksum beside its hint, by which it would take ours for broken. */
  const staleChecksum = (folder: string): ReadonlyArray<string> =>
    schemeOf(folder) === "file" ? [`${folder}.version-hint.text.crc`] : []

  const hint = (folder: string, version: number): Effect.Effect<void> =>
    store.remove(staleChecksum(folder)).pipe(
      Effect.andThen(store.write(hintFile(folder), new TextEncoder().encode(String(version)))),
      Effect.timeout(HINT_DEADLINE),
      Effect.catch((error) => Effect.logWarning(`${hintFile(folder)} was not written: ${error.message}`))
    )

  /** Sends the same write again, which can happen only once, until the store tells what came of it. */
  const settle = Effect.fnUntraced(function* (
    location: string,
    bytes: Uint8Array,
    lost: IcebergError
  ): Effect.fn.Return<boolean, IcebergError> {
    let why = lost.message
    for (const wait of CHECKS_MS) {
      if (wait > 0) yield* Effect.sleep(wait)
      const written = yield* Effect.result(store.writeNew(location, bytes))
      if (Result.isSuccess(written)) return written.success
      why = written.failure.message
    }
    return yield* icebergError("Unknown", `Whether ${location} was committed is not known: ${why}`)
  })

  /** Writes a version where none is yet; false when somebody else's is there. */
  const writeVersion = (location: string, metadata: Table["metadata"]): Effect.Effect<boolean, IcebergError> =>
    Effect.suspend(() => {
      const bytes = encodeMetadata(metadata)
      return store.writeNew(location, bytes).pipe(
        Effect.catchIf(
          (error) => error.reason === "Unknown",
          (error) => settle(location, bytes, error).pipe(withinSettling(location))
        )
      )
    })

  const create = Effect.fnUntraced(function* (name: TableName, table: NewTable): Effect.fn.Return<Table, IcebergError> {
    yield* checkName(name)
    const folder = folderOf(name)
    const location = versionFile(folder, 1)
    const exists = icebergError("AlreadyExists", `There is a table ${showName(name)} already.`)
    if (Option.isSome(yield* newestVersion(store, folder))) return yield* exists
    yield* trusted
    const now = yield* Clock.currentTimeMillis
    const metadata = newTableMetadata(table, { location: locationOf(name), uuid: crypto.randomUUID(), now })
    if (!(yield* writeVersion(location, metadata))) return yield* exists
    yield* hint(folder, 1)
    return { name, metadata, metadataLocation: location, store }
  })

  const commit = Effect.fnUntraced(function* (
    table: Table,
    change: TableChange
  ): Effect.fn.Return<Table, IcebergError> {
    const version = versionOf(table.metadataLocation)
    if (version === undefined) {
      return yield* icebergError("Invalid", `${table.metadataLocation} is no version of a table of this catalog.`)
    }
    if (
      change.updates.some((update) => update.action === "set-properties" && "write.metadata.path" in update.updates)
    ) {
      return yield* icebergError(
        "Invalid",
        "write.metadata.path can't be set: this catalog finds metadata by the table's own folder."
      )
    }
    yield* trusted
    const metadata = yield* changedMetadata(table, change)
    const folder = folderOf(table.name)
    const conflict = icebergError("Conflict", `Somebody else changed ${showName(table.name)} first.`)
    // The write below sees a version by its plain name alone, and only if it was not removed since.
    const [hinted, next] = yield* Effect.all([readHint(store, folder), findVersion(store, folder, version + 1)], {
      concurrency: 2
    })
    if (next !== undefined) return yield* conflict
    if (hinted !== undefined && hinted > version) {
      const newest = Option.getOrUndefined(yield* newestVersion(store, folder))
      if (newest !== undefined && (versionOf(newest.location) ?? 0) > version) return yield* conflict
    }
    const location = versionFile(folder, version + 1)
    if (!(yield* writeVersion(location, metadata))) return yield* conflict
    yield* hint(folder, version + 1)
    const forgotten = forgottenFiles(table.metadata, metadata).flatMap((file) => {
      const version = versionOf(file)
      const older = KEPT_VERSIONS - (metadata["metadata-log"]?.length ?? 0)
      if (version === undefined || older <= 0) return [file]
      return version > older ? [versionFile(folder, version - older)] : []
    })
    yield* removeBestEffort(store, forgotten)
    return { name: table.name, metadata, metadataLocation: location, store }
  })

  return { load, create, commit }
})
