import { Clock, Effect, Stream } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import type { IcebergError } from "../IcebergError.ts"
import { canonicalLocation } from "../io/location.ts"
import type { StoredObject } from "../io/ObjectStore.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import { forEachEntry, manifestsIn } from "./reachable.ts"

/** Locations that are removed at a time. */
const REMOVED_AT_ONCE = 1_000
/** A catalog of files keeps the newest version's number here. */
const NOT_ORPHANS = /\/metadata\/version-hint\.text$/

export interface Orphans {
  readonly files: ReadonlyArray<StoredObject>
  /** Files under the table's folder that were looked at. */
  readonly seen: number
}

const statisticsPath = (one: unknown): ReadonlyArray<string> =>
  typeof one === "object" && one !== null && "statistics-path" in one && typeof one["statistics-path"] === "string"
    ? [one["statistics-path"]]
    : []

/** Every file that the table names: of all snapshots, whatever their age, deleted entries included, and its own metadata. */
const namedBy = Effect.fnUntraced(function* (table: Table) {
  const { metadata } = table
  const named = new Set<string>()
  const add = (location: string) => named.add(canonicalLocation(location))
  add(table.metadataLocation)
  for (const { "metadata-file": file } of metadata["metadata-log"] ?? []) add(file)
  for (const snapshot of metadata.snapshots ?? []) add(snapshot["manifest-list"])
  for (const one of [...(metadata.statistics ?? []), ...(metadata["partition-statistics"] ?? [])]) {
    for (const path of statisticsPath(one)) add(path)
  }
  const manifests = yield* manifestsIn(table, metadata.snapshots ?? [])
  for (const { location } of manifests.values()) add(location)
  yield* forEachEntry(table, manifests.values(), ({ file }) => add(file.location))
  return named
})

/** Where a table's files may be: its folder, and where a property sends them. */
const foldersOf = ({ location, properties }: TableMetadata): ReadonlyArray<string> => {
  const all = [location, properties["write.data.path"], properties["write.metadata.path"]]
  const folders = all.flatMap((one) => (one === undefined ? [] : [`${one.replace(/\/+$/, "")}/`]))
  return folders.filter((folder) => !folders.some((other) => other !== folder && folder.startsWith(other)))
}

/**
 * Files under a table's folder that it does not name and that are older than an age, by the store's clock: what crashes, lost
 * answers and other engines left over. The age must exceed how long a commit may be on its way; the files are listed before the
 * table is loaded, so that a file which comes into use meanwhile is seen to be. With `dryRun` they are told and left.
 */
export const removeOrphans = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  ageMs: number,
  dryRun: boolean
): Effect.fn.Return<Orphans, IcebergError> {
  const before = yield* catalog.load(name)
  const oldest = (yield* Clock.currentTimeMillis) - ageMs
  let seen = 0
  const old: Array<StoredObject> = []
  for (const folder of foldersOf(before.metadata)) {
    yield* Stream.runForEach(before.store.list(folder), (object) =>
      Effect.sync(() => {
        seen++
        if (object.modifiedAt < oldest && !NOT_ORPHANS.test(object.location)) old.push(object)
      })
    )
  }
  const named = yield* namedBy(yield* catalog.load(name))
  const files = old.filter(({ location }) => !named.has(canonicalLocation(location)))
  if (!dryRun) {
    for (let index = 0; index < files.length; index += REMOVED_AT_ONCE) {
      const some = files.slice(index, index + REMOVED_AT_ONCE)
      yield* before.store.remove(some.map(({ location }) => location))
    }
  }
  return { files, seen }
})
