import { Clock, Effect, Stream } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import { canonicalLocation } from "../io/location.ts"
import type { StoredObject } from "../io/ObjectStore.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import { forEachEntry, manifestsIn } from "./reachable.ts"

/** Files removed with one call to the store. */
const REMOVAL_BATCH = 1_000
/** Where the Hadoop catalog keeps the number of the newest version. No table refers to it. */
const VERSION_HINT = /\/metadata\/version-hint\.text$/

export interface Orphans {
  readonly files: ReadonlyArray<StoredObject>
  /** How many files there are under the table's folders. */
  readonly seen: number
}

const statisticsPath = (statistics: unknown): ReadonlyArray<string> =>
  typeof statistics === "object" &&
  statistics !== null &&
  "statistics-path" in statistics &&
  typeof statistics["statistics-path"] === "string"
    ? [statistics["statistics-path"]]
    : []

/** Every file that the table refers to: from all snapshots of any age, deleted entries included, and its own metadata. */
const referencedFiles = Effect.fnUntraced(function* (
  table: Table
): Effect.fn.Return<ReadonlySet<string>, IcebergError> {
  const { metadata } = table
  const referenced = new Set<string>()
  const add = (location: string) => referenced.add(canonicalLocation(location))
  add(table.metadataLocation)
  for (const { "metadata-file": file } of metadata["metadata-log"] ?? []) add(file)
  for (const snapshot of metadata.snapshots ?? []) add(snapshot["manifest-list"])
  for (const statistics of [...(metadata.statistics ?? []), ...(metadata["partition-statistics"] ?? [])]) {
    for (const path of statisticsPath(statistics)) add(path)
  }
  const manifests = yield* manifestsIn(table, metadata.snapshots ?? [])
  for (const { location } of manifests.values()) add(location)
  yield* forEachEntry(table, manifests.values(), ({ file }) => add(file.location))
  return referenced
})

/** The folders that may contain files of a table: its own, and those that its properties name. */
const foldersOf = ({ location, properties }: TableMetadata): ReadonlyArray<string> => {
  const locations = [location, properties["write.data.path"], properties["write.metadata.path"]]
  const folders = locations.flatMap((path) => (path === undefined ? [] : [`${path.replace(/\/+$/, "")}/`]))
  return folders.filter((folder) => !folders.some((other) => other !== folder && folder.startsWith(other)))
}

/**
 * Removes files under a table's folders that the table does not refer to and that are older than `ageMs`, by the store's
 * clock: what crashes, lost responses and other engines left behind. The age must exceed the duration of any commit. Files
 * are listed before the table is loaded, so that a file that comes into use meanwhile is recognized. A dry run only reports
 * them.
 */
export const removeOrphans = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  ageMs: number,
  dryRun: boolean
): Effect.fn.Return<Orphans, IcebergError> {
  const { metadata, store } = yield* catalog.load(name)
  const newestOrphan = (yield* Clock.currentTimeMillis) - ageMs
  let seen = 0
  const candidates: Array<StoredObject> = []
  for (const folder of foldersOf(metadata)) {
    yield* Stream.runForEach(store.list(folder), (object) =>
      Effect.sync(() => {
        seen++
        if (object.modifiedAt < newestOrphan && !VERSION_HINT.test(object.location)) candidates.push(object)
      })
    )
  }
  const referenced = yield* referencedFiles(yield* catalog.load(name))
  const files = candidates.filter(({ location }) => !referenced.has(canonicalLocation(location)))
  if (!dryRun) {
    for (let start = 0; start < files.length; start += REMOVAL_BATCH) {
      yield* store.remove(files.slice(start, start + REMOVAL_BATCH).map(({ location }) => location))
    }
  }
  return { files, seen }
})
