import { gunzipSync } from "node:zlib"
import { Effect, Schema } from "effect"
import { type IcebergError, icebergError } from "../IcebergError.ts"
import { fileNameOf, withoutSlash } from "../io/location.ts"
import type { ObjectStore } from "../io/ObjectStore.ts"
import { parseJson, stringifyJson } from "../json.ts"
import type { TableMetadata } from "../metadata/TableMetadata.ts"

/** Files held parsed, the latest ones: one for each table that a process writes, and some to spare. */
const HELD = 16
/** Digits of the version in a file's name (Iceberg's `%05d-<uuid>.metadata.json`). */
const VERSION_DIGITS = 5

const Id = Schema.BigInt
/** Some servers write null for what is not there. */
const absent = <S extends Schema.Top>(schema: S) => Schema.optional(Schema.NullOr(schema))
/** What is read of metadata; everything else is carried over unread. */
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
  "current-snapshot-id": absent(Id),
  snapshots: absent(
    Schema.Array(Schema.Struct({ "snapshot-id": Id, "timestamp-ms": Schema.Number, "manifest-list": Schema.String }))
  ),
  "metadata-log": absent(Schema.Array(Schema.Struct({ "metadata-file": Schema.String }))),
  refs: absent(Schema.Record(Schema.String, Schema.Struct({ "snapshot-id": Id })))
})
const hasShape = Schema.is(Shape)

/** The format version that is read and written here. */
const FORMAT_VERSION = 2

/** Parsed JSON as table metadata, when it is of format version 2. `from` names its file or catalog. */
export const asTableMetadata = (parsed: unknown, from: string): Effect.Effect<TableMetadata, IcebergError> => {
  if (typeof parsed !== "object" || parsed === null || !("format-version" in parsed)) {
    return Effect.fail(icebergError("Invalid", `${from} holds no table metadata.`))
  }
  const version = parsed["format-version"]
  if (version !== FORMAT_VERSION) {
    return Effect.fail(
      icebergError(
        "Invalid",
        `${from} is of format version ${String(version)}; version ${FORMAT_VERSION} is needed. A table of version 1 can be upgraded by setting its property format-version to ${FORMAT_VERSION}.`
      )
    )
  }
  const metadata = { properties: {}, ...parsed }
  return hasShape(metadata)
    ? Effect.succeed(metadata as unknown as TableMetadata)
    : Effect.fail(icebergError("Invalid", `${from} lacks something that table metadata must have.`))
}

const unzipped = (bytes: Uint8Array): Uint8Array => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes)

const parse = (bytes: Uint8Array, location: string): Effect.Effect<TableMetadata, IcebergError> =>
  Effect.flatMap(
    Effect.try({
      try: () => parseJson(new TextDecoder().decode(unzipped(bytes))),
      catch: () => icebergError("Invalid", `${location} can't be read as JSON.`)
    }),
    (parsed) => asTableMetadata(parsed, location)
  )

export const encodeMetadata = (metadata: TableMetadata): Uint8Array => new TextEncoder().encode(stringifyJson(metadata))

const zips = (metadata: TableMetadata): boolean =>
  metadata.properties["write.metadata.compression-codec"]?.toLowerCase() === "gzip"

/**
 * Where the metadata that follows goes: the next version after the file it replaces (null: the first, 0), under the table's
 * metadata folder or `write.metadata.path`.
 */
export const nextMetadataLocation = (previous: string | null, metadata: TableMetadata): string => {
  const version = previous === null ? 0 : Number(/^(\d+)-/.exec(fileNameOf(previous))?.[1] ?? -1) + 1
  const folder = withoutSlash(
    metadata.properties["write.metadata.path"] ?? `${withoutSlash(metadata.location)}/metadata`
  )
  const number = String(version).padStart(VERSION_DIGITS, "0")
  return `${folder}/${number}-${crypto.randomUUID()}${zips(metadata) ? ".gz" : ""}.metadata.json`
}

/** Metadata files of a store. A file never changes, so the latest ones that were read or written are kept. */
export interface MetadataFiles {
  /** Fails with `NotFound`. `version` tells files apart that were given the same location one after the other. */
  readonly read: (location: string, version?: string) => Effect.Effect<TableMetadata, IcebergError>
  /** Where nothing else is; zipped when the location says so. */
  readonly write: (location: string, metadata: TableMetadata) => Effect.Effect<void, IcebergError>
}

export const makeMetadataFiles = (store: ObjectStore): MetadataFiles => {
  const held = new Map<string, TableMetadata>()
  const hold = (key: string, metadata: TableMetadata): void => {
    held.delete(key)
    held.set(key, metadata)
    for (const oldest of held.keys()) {
      if (held.size <= HELD) break
      held.delete(oldest)
    }
  }
  return {
    read: (location, version = "") =>
      Effect.suspend(() => {
        const key = `${location}\n${version}`
        const known = held.get(key)
        if (known !== undefined) {
          hold(key, known)
          return Effect.succeed(known)
        }
        return store.read(location).pipe(
          Effect.flatMap((bytes) => parse(bytes, location)),
          Effect.tap((metadata) => Effect.sync(() => hold(key, metadata)))
        )
      }),
    write: (location, metadata) =>
      Effect.suspend(() => {
        const bytes = encodeMetadata(metadata)
        return store.write(
          location,
          location.endsWith(".gz.metadata.json") ? Bun.gzipSync(bytes as Uint8Array<ArrayBuffer>) : bytes
        )
      }).pipe(Effect.tap(Effect.sync(() => hold(`${location}\n`, metadata))))
  }
}
