import { existsSync } from "node:fs"
import { hostname } from "node:os"
import { Clock, Effect, Layer, Redacted } from "effect"
import type { SqlError } from "effect/sql"
import {
  LAKE_TABLE_NAMES,
  LakeAdmin,
  LakeAdminError,
  type LakeCollector,
  type LakeTableName,
  type LakeTableStatus
} from "../../src/ports/LakeAdmin.ts"
import { Settings } from "../../src/ports/Settings.ts"
import {
  LAKE_CATALOG_NAME,
  LAKE_CATALOG_TYPE,
  LAKE_COMPACTION_FILE_BYTES,
  LAKE_ORPHAN_AGE_SECONDS,
  LAKE_SNAPSHOT_MAX_AGE_SECONDS,
  LAKE_SNAPSHOTS_MIN
} from "../../src/settings/settings.ts"
import * as WriterRegistry from "../forward/WriterRegistry.ts"
import type { Table, TableName } from "../iceberg/catalog/Catalog.ts"
import type { IcebergError } from "../iceberg/IcebergError.ts"
import { compactTable } from "../iceberg/maintenance/compact.ts"
import { expireSnapshots } from "../iceberg/maintenance/expire.ts"
import { removeOrphans } from "../iceberg/maintenance/orphans.ts"
import { recoverTable } from "../iceberg/maintenance/recover.ts"
import { verifyTable } from "../iceberg/maintenance/verify.ts"
import { currentSnapshot } from "../iceberg/metadata/TableMetadata.ts"
import { SILENT } from "../iceberg/table/commit.ts"
import { manifestsOf } from "../iceberg/table/files.ts"
import { AppDatabase, DatabaseUrl } from "../postgres/client/Database.ts"
import { sqlMessage } from "../postgres/client/sqlErrors.ts"
import { leftIn } from "../spool/leftover.ts"
import { lakeConfig } from "./config.ts"
import { CREATED_BY } from "./createdBy.ts"
import { type Lake, openLake } from "./openLake.ts"
import { plainReason } from "./plainReason.ts"
import { probeLake } from "./probeLake.ts"
import { otherTables } from "./schema.ts"
import { staleWatermarks } from "./watermark.ts"

/**
 * How long a flush waits for a collector that counts as gone, in ms. One that was restarted elsewhere takes the spool over at that moment, and
 * then flushes it; one that was only killed stays gone.
 */
const TAKEOVER_MS = 6_000
/** How often the app database is asked which collectors have flushed. */
const FLUSH_POLL = "250 millis"

const fromIceberg = (error: IcebergError) => new LakeAdminError({ reason: plainReason(error), message: error.message })
const fromSql = (error: SqlError.SqlError) => new LakeAdminError({ reason: "Unavailable", message: sqlMessage(error) })

const statusOf = (name: LakeTableName, table: Table): Effect.Effect<LakeTableStatus, IcebergError> => {
  const { metadata, metadataLocation } = table
  const snapshot = currentSnapshot(metadata)
  const total = (key: string) => Number(snapshot?.summary[`total-${key}`] ?? 0)
  return Effect.map(manifestsOf(table, snapshot), (manifests) => ({
    name,
    location: metadata.location,
    metadataLocation,
    snapshotId: snapshot === null ? null : String(snapshot["snapshot-id"]),
    committedAt: snapshot === null ? null : new Date(snapshot["timestamp-ms"]),
    snapshots: metadata.snapshots?.length ?? 0,
    manifests: manifests.length,
    files: total("data-files"),
    rows: total("records"),
    bytes: total("files-size")
  }))
}

const hasFailed = (collector: LakeCollector): collector is LakeCollector & { readonly failure: string } =>
  collector.isRunning && collector.failure !== null

/**
 * A collector that was killed reported its backlog some seconds before. If its spool is on this machine, the spool has the actual
 * number.
 */
const withActualBacklog = (collector: LakeCollector): Effect.Effect<LakeCollector> => {
  const { folder, host, isRunning } = collector
  if (isRunning || host !== hostname() || !existsSync(folder)) return Effect.succeed(collector)
  return Effect.match(
    Effect.tryPromise(() => leftIn(folder)),
    {
      onSuccess: (backlogBytes) => ({ ...collector, backlogBytes }),
      onFailure: () => collector
    }
  )
}

/** Opens the lake's catalog for each operation, in the calling thread. */
export const layer: Layer.Layer<LakeAdmin, never, AppDatabase | DatabaseUrl | Settings> = Layer.effect(
  LakeAdmin,
  Effect.gen(function* () {
    const sql = yield* AppDatabase
    const settings = yield* Settings
    const { get } = settings
    const { url } = yield* DatabaseUrl

    const eachTable = <A>(
      tables: ReadonlyArray<LakeTableName>,
      work: (lake: Lake, name: TableName, table: LakeTableName) => Effect.Effect<A, IcebergError>
    ) =>
      Effect.gen(function* () {
        const lake = yield* openLake(yield* lakeConfig(settings, Redacted.value(url)))
        const results = yield* Effect.forEach(tables, (table) =>
          work(lake, { namespace: lake.namespace, name: table }, table).pipe(
            Effect.map((result) => [result]),
            Effect.catchIf(
              (error) => error.reason === "NotFound",
              () => Effect.succeed([])
            )
          )
        )
        return results.flat()
      }).pipe(
        Effect.scoped,
        Effect.catchTag("IcebergError", (error) => Effect.fail(fromIceberg(error)))
      )

    const collectors: Effect.Effect<ReadonlyArray<LakeCollector>, LakeAdminError> = WriterRegistry.list(sql).pipe(
      Effect.mapError(fromSql),
      Effect.flatMap(Effect.forEach(withActualBacklog))
    )

    return LakeAdmin.of({
      status: Effect.gen(function* () {
        const probes = yield* Effect.scoped(probeLake(yield* lakeConfig(settings, Redacted.value(url))))
        const isReadable = (table: LakeTableName) => probes.some(({ part, state }) => part === table && state === "ok")
        return {
          catalog: { type: get(LAKE_CATALOG_TYPE), name: get(LAKE_CATALOG_NAME) },
          probes,
          tables: yield* eachTable(LAKE_TABLE_NAMES.filter(isReadable), (lake, name, table) =>
            Effect.flatMap(lake.catalog.load(name), (loaded) => statusOf(table, loaded))
          ).pipe(Effect.catchTag("LakeAdminError", () => Effect.succeed([]))),
          collectors: yield* collectors
        }
      }),
      flush: Effect.fnUntraced(function* ({ onProgress, timeoutSeconds }) {
        const requested = yield* Effect.mapError(WriterRegistry.requestFlush(sql), fromSql)
        let flushed = 0
        const goneSince = new Map<string, number>()
        const waitForAll = Effect.gen(function* () {
          for (;;) {
            const done = yield* Effect.mapError(WriterRegistry.flushedSince(sql, requested), fromSql)
            const known = yield* Effect.mapError(WriterRegistry.list(sql), fromSql)
            const isKnown = (id: string) => known.some(({ spoolId }) => spoolId === id)
            // One that stopped with nothing left has no row any more.
            flushed = requested.filter((id) => done.includes(id) || !isKnown(id)).length
            const now = yield* Clock.currentTimeMillis
            const awaited = known.filter(({ isRunning, spoolId }) => {
              if (!requested.includes(spoolId) || done.includes(spoolId)) return false
              if (isRunning) goneSince.delete(spoolId)
              else if (!goneSince.has(spoolId)) goneSince.set(spoolId, now)
              return now - (goneSince.get(spoolId) ?? now) < TAKEOVER_MS
            })
            if (awaited.length === 0) return
            onProgress({ done: flushed, total: requested.length, awaited })
            yield* Effect.sleep(FLUSH_POLL)
          }
        })
        yield* Effect.timeoutOption(waitForAll, `${timeoutSeconds} seconds`)
        const reported = yield* collectors
        const isComplete = flushed === requested.length
        return {
          collectors: requested.length,
          flushed,
          failing: isComplete ? [] : reported.filter(hasFailed),
          // What a collector accepted after it flushed does not remain.
          remaining: reported.filter(({ backlogBytes, isRunning }) => backlogBytes > 0 && !(isRunning && isComplete))
        }
      }),
      compact: ({ dryRun, onProgress, tables }) =>
        eachTable(tables, (lake, name, table) =>
          Effect.map(
            compactTable(
              lake.catalog,
              name,
              {
                targetBytes: get(LAKE_COMPACTION_FILE_BYTES),
                createdBy: CREATED_BY,
                dryRun,
                onProgress: ({ done, groups }) => onProgress({ table, done, total: groups })
              },
              SILENT
            ),
            (compacted) => ({ table, ...compacted })
          )
        ),
      expire: ({ dryRun, tables }) => {
        const options = {
          maxAgeMs: get(LAKE_SNAPSHOT_MAX_AGE_SECONDS) * 1_000,
          minKept: get(LAKE_SNAPSHOTS_MIN),
          staleProperties: staleWatermarks
        }
        return eachTable(tables, (lake, name, table) =>
          Effect.map(expireSnapshots(lake.catalog, name, options, dryRun), (expired) => ({ table, ...expired }))
        )
      },
      removeOrphans: ({ dryRun, tables }) => {
        const ageMs = get(LAKE_ORPHAN_AGE_SECONDS) * 1_000
        return eachTable(tables, (lake, name, table) =>
          Effect.map(removeOrphans(lake.catalog, name, { ageMs, dryRun, others: otherTables(name) }), (removed) => ({
            table,
            ...removed
          }))
        )
      },
      recover: ({ dryRun, force, tables }) =>
        eachTable(tables, (lake, name, table) =>
          Effect.map(recoverTable(lake.catalog, name, { dryRun, force }), (recovered) => ({ table, ...recovered }))
        ),
      verify: ({ onProgress, tables }) =>
        eachTable(tables, (lake, name, table) =>
          Effect.map(
            verifyTable(lake.catalog, name, {
              onProgress: ({ done, files }) => onProgress({ table, done, total: files })
            }),
            (verified) => ({ table, ...verified })
          )
        )
    })
  })
)
