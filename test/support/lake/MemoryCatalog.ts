import { Effect, Stream } from "effect"
import type { Catalog, Table, TableName } from "../../../layers/iceberg/catalog/Catalog.ts"
import { IcebergError } from "../../../layers/iceberg/IcebergError.ts"
import type { ObjectStore } from "../../../layers/iceberg/io/ObjectStore.ts"
import { applyUpdates } from "../../../layers/iceberg/metadata/applyUpdates.ts"
import { newTableMetadata } from "../../../layers/iceberg/metadata/newTableMetadata.ts"
import { failedRequirement } from "../../../layers/iceberg/metadata/requirements.ts"
import type { TableChange } from "../../../layers/iceberg/metadata/TableUpdate.ts"
import type { CommitEvents } from "../../../layers/iceberg/table/commit.ts"

/** Files in memory. */
export class MemoryStore implements ObjectStore {
  readonly files = new Map<string, Uint8Array>()
  /** When files are written, in ms since the epoch. */
  now = Date.now()
  readonly #times = new Map<string, number>()

  read = (location: string) => {
    const bytes = this.files.get(location)
    return bytes === undefined ? Effect.fail(IcebergError.notFound(`There is no ${location}.`)) : Effect.succeed(bytes)
  }
  readRange = (location: string, offset: number, length: number) =>
    Effect.map(this.read(location), (bytes) => bytes.subarray(offset, offset + length))
  head = (location: string) => Effect.map(this.read(location), (bytes) => this.#stored(location, bytes))
  write = (location: string, bytes: Uint8Array) =>
    Effect.sync(() => {
      this.files.set(location, bytes)
      this.#times.set(location, this.now)
    })
  writeNew = (location: string, bytes: Uint8Array) =>
    Effect.suspend(() =>
      this.files.has(location) ? Effect.succeed(false) : Effect.as(this.write(location, bytes), true)
    )
  writeChunks = (location: string, chunks: AsyncIterable<Uint8Array>): Effect.Effect<number, IcebergError> =>
    Effect.flatMap(
      Effect.tryPromise({
        try: () => Array.fromAsync(chunks),
        catch: (cause) => IcebergError.invalid(String(cause))
      }),
      (all) => {
        const bytes = Buffer.concat(all)
        return Effect.as(this.write(location, bytes), bytes.length)
      }
    )
  remove = (locations: ReadonlyArray<string>) =>
    Effect.sync(() => {
      for (const location of locations) this.files.delete(location)
    })
  list = (folder: string) =>
    Stream.suspend(() =>
      Stream.fromIterable(
        [...this.files].flatMap(([location, bytes]) =>
          location.startsWith(folder) ? [this.#stored(location, bytes)] : []
        )
      )
    )

  #stored(location: string, bytes: Uint8Array) {
    return { location, size: bytes.length, modifiedAt: this.#times.get(location) ?? this.now }
  }
}

/** The outcome of a commit that would succeed. */
export type Fate = "committed" | "committed, answer lost" | "lost" | "refused as a conflict"

const keyOf = ({ name, namespace }: TableName): string => [...namespace, name].join(".")

/** A catalog in memory that accepts and rejects commits like any other, and can lose answers. */
export class MemoryCatalog implements Catalog {
  readonly tables = new Map<string, Table>()
  readonly store: MemoryStore
  /** Fates of the next commits; later ones succeed. */
  fates: Array<Fate> = []
  /** Runs before each commit, for what another writer does meanwhile. */
  before: (name: TableName) => Effect.Effect<void, IcebergError> = () => Effect.void
  commits = 0
  now = Date.now()
  #files = 0

  constructor(store = new MemoryStore()) {
    this.store = store
  }

  load = (name: TableName): Effect.Effect<Table, IcebergError> =>
    Effect.suspend(() => {
      const table = this.tables.get(keyOf(name))
      return table === undefined
        ? Effect.fail(IcebergError.notFound(`There is no table ${keyOf(name)}.`))
        : Effect.succeed(table)
    })

  create: Catalog["create"] = (name, table) =>
    Effect.suspend(() => {
      const key = keyOf(name)
      if (this.tables.has(key)) return Effect.fail(IcebergError.alreadyExists(`There is a table ${key}.`))
      const location = `memory://lake/${key.replaceAll(".", "/")}`
      const created: Table = {
        name,
        metadata: newTableMetadata(table, { location, uuid: crypto.randomUUID(), now: this.now }),
        metadataLocation: `${location}/metadata/${++this.#files}.metadata.json`,
        store: this.store
      }
      this.tables.set(key, created)
      return Effect.succeed(created)
    })

  commit: Catalog["commit"] = Effect.fnUntraced(
    function* (this: MemoryCatalog, table: Table, change: TableChange): Effect.fn.Return<Table, IcebergError> {
      yield* this.before(table.name)
      const key = keyOf(table.name)
      const current = this.tables.get(key)
      const fate = this.fates.shift() ?? "committed"
      const failed =
        current === undefined || current.metadataLocation !== table.metadataLocation
          ? "it changed"
          : failedRequirement(current.metadata, change.requirements)
      if (fate === "refused as a conflict" || failed !== null) {
        return yield* IcebergError.conflict(`Table ${key} is not what it was: ${failed}.`)
      }
      const next: Table = {
        ...table,
        metadata: applyUpdates(table.metadata, change.updates, {
          now: this.now,
          metadataLocation: table.metadataLocation
        }),
        metadataLocation: `${table.metadata.location}/metadata/${++this.#files}.metadata.json`
      }
      if (fate !== "lost") {
        this.tables.set(key, next)
        this.commits++
      }
      return fate === "committed" ? next : yield* IcebergError.unknown(`The commit of ${key} was not answered.`)
    }.bind(this)
  )
}

/** Counts of what happened to commits. */
export const countingEvents = () => {
  const counts = { conflicts: 0, unknown: 0 }
  const events: CommitEvents = {
    onConflict: () => {
      counts.conflicts++
    },
    onUnknown: () => {
      counts.unknown++
    }
  }
  return { counts, events }
}
