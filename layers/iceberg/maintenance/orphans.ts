import { Clock, Effect, Result, Stream } from "effect"
import type { Catalog, Table, TableName } from "../catalog/Catalog.ts"
import { tableUuidIn } from "../catalog/metadataFiles.ts"
import { showName } from "../catalog/tableName.ts"
import { type IcebergError, nullIfNotFound } from "../IcebergError.ts"
import { canonicalLocation } from "../io/location.ts"
import type { StoredObject } from "../io/ObjectStore.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"
import { isGcEnabled } from "../metadata/tableProperties.ts"
import { forEachEntry, manifestsIn } from "./reachable.ts"

/** Files removed with one call to the store. */
const REMOVAL_BATCH = 1_000
/** Metadata files that are read at the same time. */
const READS = 8
/** A table's metadata file, in every spelling (`HadoopTableOperations`). */
const METADATA_FILE = /\.metadata\.json(\.gz)?$/
/** Where the Hadoop catalog keeps the number of the newest version. No table refers to it. */
const VERSION_HINT = /\/metadata\/version-hint\.text$/

export interface OrphanOptions {
  /** In ms, by the store's clock. Younger files stay; it must exceed the duration of any commit. */
  readonly ageMs: number
  readonly dryRun: boolean
  /** Other tables that may have files in the same folders. Those that do not exist are ignored. */
  readonly others: ReadonlyArray<TableName>
}

export interface Orphans {
  readonly files: ReadonlyArray<StoredObject>
  /** How many files there are under the folders that were searched. */
  readonly seen: number
  /** Why folders were left as they are, one sentence each: they hold, or may hold, files of other tables. */
  readonly refused: ReadonlyArray<string>
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

/** A folder that may contain files of a table. */
interface Folder {
  /** With a slash at the end. */
  readonly location: string
  /** The table property that names it; null for the table's own location. */
  readonly property: string | null
}

const PATH_PROPERTIES = ["write.data.path", "write.metadata.path"]

const asFolder = (path: string): string => `${canonicalLocation(path).replace(/\/+$/, "")}/`

/** The folders that may contain files of a table: its own, and those that its properties name. None is inside of another. */
const foldersOf = ({ location, properties }: TableMetadata): ReadonlyArray<Folder> => {
  const named = PATH_PROPERTIES.flatMap((property) => {
    const path = properties[property]
    return path === undefined || path === "" ? [] : [{ location: asFolder(path), property }]
  })
  const all: ReadonlyArray<Folder> = [{ location: asFolder(location), property: null }, ...named]
  return all.filter(
    (folder, index) =>
      !all.some(
        (other, at) => folder.location.startsWith(other.location) && (folder.location !== other.location || at < index)
      )
  )
}

const overlap = (a: Folder, b: Folder): boolean =>
  a.location.startsWith(b.location) || b.location.startsWith(a.location)

/**
 * Why a folder may belong to other tables, too, as far as metadata shows it; null if it does not. A path that a property names outside of the
 * table's location may be that of any number of tables, in any catalog, so it must contain this table's uuid.
 */
const sharedFolder = (folder: Folder, { metadata, name }: Table, others: ReadonlyArray<Table>): string | null => {
  const other = others.find(
    (table) =>
      table.metadata["table-uuid"] !== metadata["table-uuid"] &&
      foldersOf(table.metadata).some((theirs) => overlap(folder, theirs))
  )
  if (other !== undefined) {
    return `No files are removed from ${folder.location}: ${showName(name)} shares it with the table ${showName(other.name)}. Give each table its own location, write.data.path and write.metadata.path.`
  }
  if (folder.property === null || folder.location.toLowerCase().includes(metadata["table-uuid"].toLowerCase())) {
    return null
  }
  return `No files are removed from ${folder.location}, which ${folder.property} of ${showName(name)} names: other tables may share it. To have it searched, name a folder that contains the table's uuid, ${metadata["table-uuid"]}.`
}

const foreignFolder = (folder: Folder, { metadata, name }: Table, foreign: string): string =>
  `No files are removed from ${folder.location}: it holds ${foreign}, which is not metadata of ${showName(name)} (table uuid ${metadata["table-uuid"]}). Move one of the tables, or remove that file if no catalog needs it.`

/** The first of these metadata files that is another table's, or does not say whose it is; null if there is none. */
const foreignMetadata = Effect.fnUntraced(function* (
  { metadata, metadataLocation, store }: Table,
  files: ReadonlyArray<string>
): Effect.fn.Return<string | null, IcebergError> {
  const uuid = metadata["table-uuid"].toLowerCase()
  const log = (metadata["metadata-log"] ?? []).map((entry) => entry["metadata-file"])
  const ours = new Set([metadataLocation, ...log].map(canonicalLocation))
  const unknown = files.filter((location) => !ours.has(canonicalLocation(location)))
  const check = Effect.forEach(
    unknown,
    (location) =>
      Effect.flatMap(nullIfNotFound(store.read(location)), (bytes) =>
        // Fails on the first one, so that the thousands of another table are not all read.
        bytes === null || tableUuidIn(bytes) === uuid ? Effect.void : Effect.fail({ foreign: location })
      ),
    { concurrency: READS, discard: true }
  )
  const checked = yield* Effect.result(check)
  if (Result.isSuccess(checked)) return null
  return "foreign" in checked.failure ? checked.failure.foreign : yield* checked.failure
})

/** Loads those of the tables that exist. */
const loadAll = (
  catalog: Catalog,
  names: ReadonlyArray<TableName>
): Effect.Effect<ReadonlyArray<Table>, IcebergError> =>
  Effect.map(
    Effect.forEach(names, (name) => nullIfNotFound(catalog.load(name))),
    (tables) => tables.filter((table) => table !== null)
  )

/**
 * Removes old files under a table's folders that the table does not refer to: what crashes, lost responses and other engines left
 * behind. Files are listed before the table is loaded, so that a file that comes into use meanwhile is recognized. A folder that
 * another table uses, or may use, is left as it is: a table that was renamed, or that is in another catalog, may live there. A dry
 * run only reports.
 */
export const removeOrphans = Effect.fnUntraced(function* (
  catalog: Catalog,
  name: TableName,
  { ageMs, dryRun, others }: OrphanOptions
): Effect.fn.Return<Orphans, IcebergError> {
  const table = yield* catalog.load(name)
  if (!isGcEnabled(table.metadata)) {
    return {
      files: [],
      seen: 0,
      refused: [`${showName(name)} has the property gc.enabled=false: no files are removed.`]
    }
  }
  const neighbors = yield* loadAll(catalog, others)
  const newestOrphan = (yield* Clock.currentTimeMillis) - ageMs
  let seen = 0
  const refused: Array<string> = []
  let candidates: ReadonlyArray<StoredObject> = []
  for (const folder of foldersOf(table.metadata)) {
    const shared = sharedFolder(folder, table, neighbors)
    if (shared !== null) {
      refused.push(shared)
      continue
    }
    const old: Array<StoredObject> = []
    const metadataFiles: Array<string> = []
    yield* Stream.runForEach(table.store.list(folder.location), (object) =>
      Effect.sync(() => {
        seen++
        if (METADATA_FILE.test(object.location)) metadataFiles.push(object.location)
        if (object.modifiedAt < newestOrphan && !VERSION_HINT.test(object.location)) old.push(object)
      })
    )
    const foreign = yield* foreignMetadata(table, metadataFiles)
    if (foreign === null) candidates = candidates.concat(old)
    else refused.push(foreignFolder(folder, table, foreign))
  }
  const referenced = yield* referencedFiles(yield* catalog.load(name))
  const files = candidates.filter(({ location }) => !referenced.has(canonicalLocation(location)))
  if (!dryRun) {
    for (let start = 0; start < files.length; start += REMOVAL_BATCH) {
      yield* table.store.remove(files.slice(start, start + REMOVAL_BATCH).map(({ location }) => location))
    }
  }
  return { files, seen, refused }
})
