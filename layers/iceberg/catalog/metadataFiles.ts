import { gunzipSync } from "node:zlib"
import { Effect, Schema } from "effect"
import { IcebergError } from "../IcebergError.ts"
import { fileNameOf, withoutSlash } from "../io/location.ts"
import type { ObjectStore } from "../io/ObjectStore.ts"
import { parseJson, stringifyJson } from "../json.ts"
import { LruCache } from "../LruCache.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"

/** Parsed files kept in memory: one per table that a process writes, with some to spare. */
const CACHED_FILES = 16
/** Digits of the version in a file name (Iceberg's `%05d-<uuid>.metadata.json`). */
const VERSION_DIGITS = 5

const Id = Schema.BigInt
/** Some servers write null for an absent value. */
const nullish = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))
/** The fields that this library reads; all others are carried over unread. */
const Shape = Schema.Struct({
  "table-uuid": Schema.String,
  location: Schema.String,
  "last-sequence-number": Schema.Number,
  "last-updated-ms": Schema.Number,
  "last-column-id": Schema.Number,
  "current-schema-id": Schema.Number,
  schemas: Schema.Array(Schema.Struct({ "schema-id": Schema.Number, fields: Schema.Array(Schema.Unknown) })),
  "default-spec-id": Schema.Number,
  "partition-specs": Schema.Array(Schema.Struct({ "spec-id": Schema.Number })),
  "last-partition-id": Schema.Number,
  "default-sort-order-id": Schema.Number,
  "sort-orders": Schema.Array(Schema.Struct({ "order-id": Schema.Number })),
  properties: Schema.Record(Schema.String, Schema.String),
  "current-snapshot-id": nullish(Id),
  snapshots: nullish(
    Schema.Array(Schema.Struct({ "snapshot-id": Id, "timestamp-ms": Schema.Number, "manifest-list": Schema.String }))
  ),
  "metadata-log": nullish(Schema.Array(Schema.Struct({ "metadata-file": Schema.String }))),
  refs: nullish(Schema.Record(Schema.String, Schema.Struct({ "snapshot-id": Id })))
})
const hasShape = Schema.is(Shape)

/** The format version of new tables, and the newest that this library reads and writes. */
const FORMAT_VERSION = 2
const NEWEST_VERSION = 3

const remedyFor = (version: unknown): string =>
  Number(version) < FORMAT_VERSION
    ? `To upgrade the table, set its property format-version to ${FORMAT_VERSION}.`
    : `A table cannot be downgraded. Rename it in its catalog, so that a new one of version ${FORMAT_VERSION} is created, or use another namespace; other engines can copy the rows.`

/** Parsed JSON as table metadata of format version 2 or 3. `from` names its file or catalog. */
export const asTableMetadata = (parsed: unknown, from: string): Effect.Effect<TableMetadata, IcebergError> => {
  if (typeof parsed !== "object" || parsed === null || !("format-version" in parsed)) {
    return Effect.fail(IcebergError.invalid(`${from} does not contain table metadata.`))
  }
  const version = parsed["format-version"]
  if (version === NEWEST_VERSION && !("next-row-id" in parsed)) {
    return Effect.fail(IcebergError.invalid(`${from} has format version ${version} but no next-row-id.`))
  }
  if (version !== FORMAT_VERSION && version !== NEWEST_VERSION) {
    return Effect.fail(
      IcebergError.invalid(
        `${from} has format version ${String(version)}; only versions ${FORMAT_VERSION} and ${NEWEST_VERSION} are supported. ${remedyFor(version)}`
      )
    )
  }
  const metadata = { properties: {}, ...parsed }
  return hasShape(metadata)
    ? Effect.succeed(metadata as unknown as TableMetadata)
    : Effect.fail(IcebergError.invalid(`${from} lacks a required field of table metadata.`))
}

const decompressed = (bytes: Uint8Array): Uint8Array =>
  bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes

const parse = (bytes: Uint8Array, location: string): Effect.Effect<TableMetadata, IcebergError> =>
  Effect.flatMap(
    Effect.try({
      try: () => parseJson(new TextDecoder().decode(decompressed(bytes))),
      catch: () => IcebergError.invalid(`${location} is not valid JSON.`)
    }),
    (parsed) => asTableMetadata(parsed, location)
  )

/** The uuid of the table, of any format version, that a metadata file describes; null if it names none or cannot be read. */
export const tableUuidIn = (bytes: Uint8Array): string | null => {
  try {
    const parsed = parseJson(new TextDecoder().decode(decompressed(bytes)))
    const uuid = typeof parsed === "object" && parsed !== null && "table-uuid" in parsed ? parsed["table-uuid"] : null
    return typeof uuid === "string" ? uuid.toLowerCase() : null
  } catch {
    return null
  }
}

export const encodeMetadata = (metadata: TableMetadata): Uint8Array => new TextEncoder().encode(stringifyJson(metadata))

const isCompressed = (metadata: TableMetadata): boolean =>
  metadata.properties["write.metadata.compression-codec"]?.toLowerCase() === "gzip"

/**
 * The location of the next metadata file: one version after the file that it replaces (null: version 0), in the table's
 * metadata folder or in `write.metadata.path`.
 */
export const nextMetadataLocation = (previous: string | null, metadata: TableMetadata): string => {
  const version = previous === null ? 0 : Number(/^(\d+)-/.exec(fileNameOf(previous))?.[1] ?? -1) + 1
  const folder = withoutSlash(
    metadata.properties["write.metadata.path"] ?? `${withoutSlash(metadata.location)}/metadata`
  )
  const number = String(version).padStart(VERSION_DIGITS, "0")
  return `${folder}/${number}-${crypto.randomUUID()}${isCompressed(metadata) ? ".gz" : ""}.metadata.json`
}

/** The metadata files of a store. A file never changes, so recently used ones are cached. */
export interface MetadataFiles {
  /** Fails with `NotFound`. `version` distinguishes files that were written to the same location one after the other. */
  readonly read: (location: string, version?: string) => Effect.Effect<TableMetadata, IcebergError>
  /** Writes a new file, compressed if its name ends in `.gz.metadata.json`. */
  readonly write: (location: string, metadata: TableMetadata) => Effect.Effect<void, IcebergError>
}

const cacheKey = (location: string, version = ""): string => `${location}\n${version}`

export const makeMetadataFiles = (store: ObjectStore): MetadataFiles => {
  const cache = new LruCache<TableMetadata>(CACHED_FILES)
  return {
    read: (location, version) =>
      Effect.suspend(() => {
        const key = cacheKey(location, version)
        const cached = cache.get(key)
        if (cached !== null) return Effect.succeed(cached)
        return store.read(location).pipe(
          Effect.flatMap((bytes) => parse(bytes, location)),
          Effect.tap((metadata) => Effect.sync(() => cache.set(key, metadata)))
        )
      }),
    write: (location, metadata) =>
      Effect.suspend(() => {
        const bytes = encodeMetadata(metadata)
        return store.write(
          location,
          location.endsWith(".gz.metadata.json") ? Bun.gzipSync(bytes as Uint8Array<ArrayBuffer>) : bytes
        )
      }).pipe(Effect.tap(Effect.sync(() => cache.set(cacheKey(location), metadata))))
  }
}
