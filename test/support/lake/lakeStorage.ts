import { join } from "node:path"
import { Context, Deferred, Effect, Layer, type Redacted, type Scope } from "effect"
import type { IcebergError } from "../../../layers/iceberg/IcebergError.ts"
import * as IcebergStorage from "../../../layers/lake/IcebergStorage.ts"
import type { Lake } from "../../../layers/lake/openLake.ts"
import { AppDatabase, DatabaseUrl } from "../../../layers/postgres/client/Database.ts"
import { folderFiles, type SpoolFiles } from "../../../layers/spool/SpoolFiles.ts"
import { DataType, type EventRecord, type Property, type SessionRecord } from "../../../src/domain/Event.ts"
import { EVENT_COLUMN_LIST } from "../../../src/domain/eventColumns.ts"
import type { LakeTableName } from "../../../src/ports/LakeAdmin.ts"
import { Storage } from "../../../src/ports/Storage.ts"
import type { Environment } from "../../../src/settings/resolve.ts"
import { type Stored, stored } from "../collect/records.ts"
import { filesWith } from "../disk/filesWith.ts"
import * as MemorySettings from "../memory/MemorySettings.ts"
import { type Row, readTable } from "./readTable.ts"

export const LAKE_WORKER = new URL("../../../src/lakeWorker.ts", import.meta.url)

/** Files whose syncs wait while they are held. */
export class HeldFiles {
  #door: Deferred.Deferred<void> | undefined

  readonly files = filesWith((file) => ({
    sync: async () => {
      if (this.#door !== undefined) await Effect.runPromise(Deferred.await(this.#door))
      await file.sync()
    }
  }))

  readonly hold: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => {
        const door = Deferred.makeUnsafe<void>()
        this.#door = door
        return door
      }),
      (door) =>
        Effect.suspend(() => {
          this.#door = undefined
          return Deferred.succeed(door, undefined)
        })
    )
  )
}

export interface LakeStorageOptions {
  /** For its spool and, unless the environment names a warehouse, its data files. */
  readonly folder: string
  readonly environment?: Environment
  readonly files?: (folder: string) => SpoolFiles
}

/** The settings of a lake in a folder, without a server. */
export const folderLake = (folder: string): Record<string, string> => ({
  PRODUCT_ANALYTICS_ICEBERG_CATALOG_TYPE: "hadoop",
  PRODUCT_ANALYTICS_ICEBERG_WAREHOUSE: `file://${join(folder, "lake")}`
})

/** One process's lake storage, with its own spool, until the test's scope closes. */
export const openLakeStorage = (
  url: Redacted.Redacted<string>,
  { environment = {}, files = folderFiles, folder }: LakeStorageOptions
): Effect.Effect<Storage["Service"], never, Scope.Scope> =>
  IcebergStorage.layer(LAKE_WORKER, { files, spoolFolder: join(folder, "spool") }).pipe(
    Layer.provide(AppDatabase.layer),
    Layer.provide(MemorySettings.layer({ ...folderLake(folder), ...environment })),
    Layer.provide(Layer.succeed(DatabaseUrl, { url, embedded: true })),
    Layer.fresh,
    Layer.build,
    Effect.map(Context.get(Storage)),
    Effect.orDie
  )

/** Every row of a table, unordered: times in ms with microseconds after the point, decimals as numbers, maps as pairs. */
export const readLakeTable = (
  { catalog, namespace }: Lake,
  name: LakeTableName
): Effect.Effect<ReadonlyArray<Row>, IcebergError> =>
  Effect.flatMap(catalog.load({ namespace, name }), (table) => readTable(table))

/** What the lake keeps of properties: their keys, and their values as strings. */
export const keptInLake = (held: Stored): Stored => ({
  ...held,
  events: held.events.map((record) => ({
    ...record,
    properties: record.properties.map(({ key, string }) => ({
      key,
      string,
      type: DataType.string,
      number: null,
      date: null
    }))
  }))
})

const fromRow = <A>(row: Row, names: Readonly<Record<string, string>>): A =>
  Object.fromEntries(Object.entries(names).map(([field, column]) => [field, row[column]])) as A

/** The lake's column of each field of an event; only `createdAt` has another name than in Postgres. */
const EVENT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(EVENT_COLUMN_LIST.map(([field, { column }]) => [field, column])),
  createdAt: "event_time"
}
const SESSION = {
  id: "session_id",
  siteId: "site_id",
  distinctId: "distinct_id",
  browser: "browser",
  os: "os",
  device: "device",
  screen: "screen",
  language: "language",
  country: "country",
  region: "region",
  city: "city",
  createdAt: "created_at",
  firstPath: "first_path",
  firstReferrerDomain: "first_referrer_domain",
  firstUtmSource: "first_utm_source",
  firstUtmMedium: "first_utm_medium",
  firstUtmCampaign: "first_utm_campaign"
}
const VALUE = { key: "data_key", type: "data_type", string: "string_value", number: "number_value", date: "date_value" }

const byCreation = (a: Row, b: Row): number => (a.created_at as number) - (b.created_at as number)
const byUpdate = (a: Row, b: Row): number => (a.updated_at as number) - (b.updated_at as number)

/**
 * What the lake's tables contain, read as documented: a session is the row of its earliest event, with the first distinct id of any of its rows; an
 * attribute is the last row of its key. An event that a test saved twice counts once.
 */
export const readLake = (lake: Lake): Effect.Effect<Stored> =>
  Effect.gen(function* () {
    const [events, sessions, attributes] = yield* Effect.all([
      readLakeTable(lake, "pa_events"),
      readLakeTable(lake, "pa_sessions"),
      readLakeTable(lake, "pa_session_data")
    ])
    return stored({
      events: new Map(
        events.map((row) => [
          row.event_id,
          {
            ...fromRow<EventRecord>(row, EVENT),
            session: null,
            properties: ((row.properties ?? []) as ReadonlyArray<[string, string]>).map(([key, string]) => ({
              key,
              string,
              type: DataType.string,
              number: null,
              date: null
            }))
          }
        ])
      ).values(),
      sessions: [...Map.groupBy(sessions.toSorted(byUpdate), (row) => row.session_id).values()].map((rows) => ({
        ...fromRow<SessionRecord>(rows.toSorted(byCreation)[0]!, SESSION),
        distinctId: (rows.find((row) => row.distinct_id !== null)?.distinct_id ?? null) as string | null
      })),
      attributes: [
        ...Map.groupBy(attributes.toSorted(byUpdate), (row) => `${row.session_id} ${row.data_key}`).values()
      ].map((rows) => {
        const newest = rows.at(-1)!
        return { ...fromRow<Property>(newest, VALUE), sessionId: newest.session_id as string }
      })
    })
  }).pipe(
    Effect.catchIf(
      (error) => error.reason === "NotFound",
      () => Effect.succeed(stored({}))
    ),
    Effect.orDie
  )
