import {
  hasRowIds,
  MAIN,
  type Snapshot,
  type SnapshotRef,
  type TableMetadata,
  type TableSchema
} from "./TableMetadata.ts"
import type { TableUpdate } from "./TableUpdate.ts"

/** Iceberg's default for `write.metadata.previous-versions-max`. */
const DEFAULT_PREVIOUS_VERSIONS = 100

type Log<Entry> = ReadonlyArray<Entry>
type SnapshotLog = Log<{ readonly "timestamp-ms": number; readonly "snapshot-id": bigint }>

/** The snapshot log lists what readers may go back to, so it must not contain entries before a removed snapshot. */
const withoutHistoryOf = (log: SnapshotLog, removed: ReadonlySet<bigint>): SnapshotLog => {
  const last = log.findLastIndex((entry) => removed.has(entry["snapshot-id"]))
  return last === -1 ? log : log.slice(last + 1)
}

const sameFields = (a: TableSchema, b: TableSchema): boolean =>
  JSON.stringify([a.fields, a["identifier-field-ids"] ?? []]) ===
  JSON.stringify([b.fields, b["identifier-field-ids"] ?? []])

const addSchema = (metadata: TableMetadata, schema: TableSchema, lastColumnId: number): TableMetadata => {
  if (metadata.schemas.some((known) => sameFields(known, schema))) return metadata
  const id = Math.max(-1, ...metadata.schemas.map((known) => known["schema-id"])) + 1
  return {
    ...metadata,
    schemas: [...metadata.schemas, { ...schema, "schema-id": id }],
    "last-column-id": Math.max(metadata["last-column-id"], lastColumnId)
  }
}

/** -1 means the schema of the last `add-schema`, which may be one that the table already had. */
const setCurrentSchema = (metadata: TableMetadata, id: number, added: TableSchema | null): TableMetadata => {
  const schema =
    id === -1
      ? metadata.schemas.find((known) => added !== null && sameFields(known, added))
      : metadata.schemas.find((known) => known["schema-id"] === id)
  if (schema === undefined) throw new Error(`the metadata of ${metadata.location} has no schema ${id}`)
  return { ...metadata, "current-schema-id": schema["schema-id"] }
}

const addSnapshot = (metadata: TableMetadata, snapshot: Snapshot): TableMetadata => ({
  ...metadata,
  snapshots: [...(metadata.snapshots ?? []), snapshot],
  ...(hasRowIds(metadata) ? { "next-row-id": (metadata["next-row-id"] ?? 0) + (snapshot["added-rows"] ?? 0) } : {}),
  "last-sequence-number": Math.max(metadata["last-sequence-number"], snapshot["sequence-number"]),
  "last-updated-ms": Math.max(metadata["last-updated-ms"], snapshot["timestamp-ms"])
})

const setRef = (metadata: TableMetadata, name: string, ref: SnapshotRef): TableMetadata => {
  const refs = { ...metadata.refs, [name]: ref }
  if (name !== MAIN) return { ...metadata, refs }
  const id = ref["snapshot-id"]
  const snapshot = metadata.snapshots?.find((candidate) => candidate["snapshot-id"] === id)
  if (snapshot === undefined) throw new Error(`the metadata of ${metadata.location} has no snapshot ${id}`)
  return {
    ...metadata,
    refs,
    "current-snapshot-id": id,
    "snapshot-log": [
      ...(metadata["snapshot-log"] ?? []),
      { "timestamp-ms": snapshot["timestamp-ms"], "snapshot-id": id }
    ]
  }
}

const snapshotIdOf = (entry: unknown): unknown =>
  typeof entry === "object" && entry !== null && "snapshot-id" in entry ? entry["snapshot-id"] : null

const removeSnapshots = (metadata: TableMetadata, ids: ReadonlyArray<bigint>): TableMetadata => {
  const removed = new Set(ids)
  const isKept = (entry: unknown): boolean => {
    const id = snapshotIdOf(entry)
    return typeof id !== "bigint" || !removed.has(id)
  }
  return {
    ...metadata,
    snapshots: (metadata.snapshots ?? []).filter(isKept),
    "snapshot-log": withoutHistoryOf(metadata["snapshot-log"] ?? [], removed),
    refs: Object.fromEntries(Object.entries(metadata.refs ?? {}).filter(([, ref]) => isKept(ref))),
    ...(metadata.statistics === undefined ? {} : { statistics: metadata.statistics.filter(isKept) }),
    ...(metadata["partition-statistics"] === undefined
      ? {}
      : { "partition-statistics": metadata["partition-statistics"].filter(isKept) })
  }
}

const without = <A>(record: Readonly<Record<string, A>>, keys: ReadonlyArray<string>): Record<string, A> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))

export interface UpdatedAt {
  /** Ms since the epoch. */
  readonly now: number
  /** The file of the base metadata, which is added to the metadata log; null if it was not read from a file. */
  readonly metadataLocation: string | null
}

/**
 * The metadata after the updates (Iceberg's `TableMetadata.Builder`). `last-updated-ms` never decreases, whatever the clock
 * says. Throws if an update refers to a missing schema or snapshot.
 */
export const applyUpdates = (
  base: TableMetadata,
  updates: ReadonlyArray<TableUpdate>,
  { metadataLocation, now }: UpdatedAt
): TableMetadata => {
  let metadata = base
  let added: TableSchema | null = null
  for (const update of updates) {
    switch (update.action) {
      case "add-schema":
        added = update.schema
        metadata = addSchema(metadata, update.schema, update["last-column-id"])
        break
      case "set-current-schema":
        metadata = setCurrentSchema(metadata, update["schema-id"], added)
        break
      case "add-snapshot":
        metadata = addSnapshot(metadata, update.snapshot)
        break
      case "set-snapshot-ref": {
        const { action: _, "ref-name": name, ...ref } = update
        metadata = setRef(metadata, name, ref)
        break
      }
      case "remove-snapshots":
        metadata = removeSnapshots(metadata, update["snapshot-ids"])
        break
      case "remove-snapshot-ref":
        metadata = { ...metadata, refs: without(metadata.refs ?? {}, [update["ref-name"]]) }
        break
      case "set-properties":
        metadata = { ...metadata, properties: { ...metadata.properties, ...update.updates } }
        break
      case "remove-properties":
        metadata = { ...metadata, properties: without(metadata.properties, update.removals) }
        break
    }
  }
  const previous = Number(metadata.properties["write.metadata.previous-versions-max"] ?? DEFAULT_PREVIOUS_VERSIONS)
  const log = [
    ...(base["metadata-log"] ?? []),
    ...(metadataLocation === null
      ? []
      : [{ "timestamp-ms": base["last-updated-ms"], "metadata-file": metadataLocation }])
  ]
  return {
    ...metadata,
    "last-updated-ms": Math.max(now, metadata["last-updated-ms"]),
    "metadata-log": log.slice(-Math.max(1, previous))
  }
}
