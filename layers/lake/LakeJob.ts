import { Clock, Effect, Layer, Redacted } from "effect"
import type { StartError } from "../../src/domain/StartError.ts"
import { Settings } from "../../src/ports/Settings.ts"
import {
  LAKE_COMPACTION_FILE_BYTES,
  LAKE_MAINTENANCE_INTERVAL_SECONDS,
  LAKE_ORPHAN_AGE_SECONDS,
  LAKE_SNAPSHOT_MAX_AGE_SECONDS,
  LAKE_SNAPSHOTS_MIN
} from "../../src/settings/settings.ts"
import * as WriterRegistry from "../forward/WriterRegistry.ts"
import { LAKE_JOB_LOCK } from "../postgres/client/advisoryLocks.ts"
import { AppDatabase, DatabaseUrl } from "../postgres/client/Database.ts"
import { jobPause, makeJobRunner } from "../postgres/client/jobLock.ts"
import { sqlMessage } from "../postgres/client/sqlErrors.ts"
import { lakeConfig } from "./config.ts"
import type { Maintained } from "./maintain.ts"
import { makeLakeThread } from "./worker/LakeThread.ts"

/** Orphan removal lists the whole lake: once a day, and not in the first hour, in which a rollout may restart processes repeatedly. */
const FIRST_ORPHANS_MS = 3_600_000
const ORPHANS_INTERVAL_MS = 86_400_000

const summaries = (maintained: Maintained): ReadonlyArray<string> =>
  maintained.flatMap(({ compacted, filesExpired, manifestsMerged, name, orphansRemoved, snapshotsExpired }) => {
    const parts = [
      ...(manifestsMerged > 0 ? [`merged ${manifestsMerged} manifests`] : []),
      ...((compacted?.filesBefore ?? 0) > 0
        ? [`compacted ${compacted?.filesBefore} files into ${compacted?.filesAfter}`]
        : []),
      ...(snapshotsExpired > 0 ? [`expired ${snapshotsExpired} snapshots with ${filesExpired} files`] : []),
      ...(orphansRemoved > 0 ? [`removed ${orphansRemoved} orphans`] : [])
    ]
    return parts.length === 0 ? [] : [`${name}: ${parts.join(", ")}.`]
  })

/**
 * Maintains the lake in the background, in one process at a time of those that share the app database. Each run has its own thread,
 * which frees the memory that merging files needs.
 */
export const layer = (threadEntry: URL): Layer.Layer<never, StartError, AppDatabase | DatabaseUrl | Settings> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* AppDatabase
      const settings = yield* Settings
      const { get } = settings
      const config = yield* lakeConfig(settings, Redacted.value((yield* DatabaseUrl).url))
      let orphansRemovedAt = (yield* Clock.currentTimeMillis) - ORPHANS_INTERVAL_MS + FIRST_ORPHANS_MS

      const maintainOnce = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const isOrphanRemovalDue = now - orphansRemovedAt >= ORPHANS_INTERVAL_MS
        const thread = yield* makeLakeThread(threadEntry, config)
        const maintained = yield* thread.call("maintain", {
          snapshotMaxAgeMs: get(LAKE_SNAPSHOT_MAX_AGE_SECONDS) * 1_000,
          snapshotsMin: get(LAKE_SNAPSHOTS_MIN),
          orphanAgeMs: isOrphanRemovalDue ? get(LAKE_ORPHAN_AGE_SECONDS) * 1_000 : null,
          compactionBytes: get(LAKE_COMPACTION_FILE_BYTES)
        })
        if (isOrphanRemovalDue) orphansRemovedAt = now
        for (const line of summaries(maintained)) yield* Effect.logInfo(`Lake maintenance: ${line}`)
        for (const { failures, name } of maintained) {
          for (const failure of failures) yield* Effect.logWarning(`Lake maintenance of ${name}: ${failure}`)
        }
        yield* WriterRegistry.deleteGone(sql)
      }).pipe(Effect.scoped)

      const runJob = makeJobRunner(sql, LAKE_JOB_LOCK, "Lake maintenance")
      const run = runJob(maintainOnce).pipe(
        Effect.catch((error) =>
          Effect.logWarning(
            `Lake maintenance failed; will retry: ${error._tag === "SqlError" ? sqlMessage(error) : error.message}`
          )
        )
      )
      yield* jobPause(get(LAKE_MAINTENANCE_INTERVAL_SECONDS) * 1_000).pipe(
        Effect.andThen(run),
        Effect.forever,
        Effect.forkScoped
      )
    })
  )
