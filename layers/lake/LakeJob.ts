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
import { forgetGone } from "../forward/Writers.ts"
import { AppDatabase, DatabaseUrl } from "../postgres/client/Database.ts"
import { jobPause, withJobLock } from "../postgres/client/jobLock.ts"
import { sqlMessage } from "../postgres/client/sqlErrors.ts"
import { lakeConfig } from "./LakeConfig.ts"
import type { Maintained } from "./maintain.ts"
import { makeLakeThread } from "./worker/LakeThread.ts"

/** Held by the process that looks after the lake. */
const JOB_LOCK = 4_067_180_230
/** Looking for orphans lists the whole lake: once a day, and not in the first hour, when a rollout keeps restarting. */
const FIRST_ORPHANS_MS = 3_600_000
const ORPHANS_INTERVAL_MS = 86_400_000

const told = (maintained: Maintained): ReadonlyArray<string> =>
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
 * Looks after the lake in the background: in one process at a time, of all that share the app database, in a thread of its own
 * that ends with each turn, since merging files takes memory that nothing else needs.
 */
export const lakeJob = (threadEntry: URL): Layer.Layer<never, StartError, AppDatabase | DatabaseUrl | Settings> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* AppDatabase
      const settings = yield* Settings
      const { get } = settings
      const config = yield* lakeConfig(settings, Redacted.value((yield* DatabaseUrl).url))
      let orphansAt = (yield* Clock.currentTimeMillis) - ORPHANS_INTERVAL_MS + FIRST_ORPHANS_MS

      const turn = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const isTimeForOrphans = now - orphansAt >= ORPHANS_INTERVAL_MS
        const thread = yield* makeLakeThread(threadEntry, config)
        const maintained = yield* thread.call("maintain", {
          snapshotMaxAgeMs: get(LAKE_SNAPSHOT_MAX_AGE_SECONDS) * 1_000,
          snapshotsMin: get(LAKE_SNAPSHOTS_MIN),
          orphanAgeMs: isTimeForOrphans ? get(LAKE_ORPHAN_AGE_SECONDS) * 1_000 : null,
          compactionBytes: get(LAKE_COMPACTION_FILE_BYTES)
        })
        if (isTimeForOrphans) orphansAt = now
        for (const line of told(maintained)) yield* Effect.logInfo(`The lake's ${line}`)
        for (const { failures, name } of maintained) {
          for (const failure of failures) yield* Effect.logWarning(`The lake's ${name}: ${failure}`)
        }
        yield* forgetGone(sql)
      }).pipe(Effect.scoped)

      const run = withJobLock(sql, JOB_LOCK, turn).pipe(
        Effect.catch((error) =>
          Effect.logWarning(
            `The lake could not be looked after: ${error._tag === "SqlError" ? sqlMessage(error) : error.message}. It is tried again.`
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
