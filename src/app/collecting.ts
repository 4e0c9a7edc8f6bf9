import { Context, Effect, Layer } from "effect"
import * as MaxmindGeo from "../../layers/geo/MaxmindGeo.ts"
import * as RejectionRing from "../../layers/inprocess/RejectionRing.ts"
import * as TokenBuckets from "../../layers/inprocess/TokenBuckets.ts"
import * as LicenseGate from "../../layers/license/LicenseGate.ts"
import { AppDatabase } from "../../layers/postgres/client/Database.ts"
import * as Changes from "../../layers/postgres/control/Changes.ts"
import * as PgAppSecret from "../../layers/postgres/control/PgAppSecret.ts"
import * as PgSettings from "../../layers/postgres/control/PgSettings.ts"
import * as PgSites from "../../layers/postgres/control/PgSites.ts"
import { PipelineEnv } from "../pipeline/PipelineEnv.ts"
import { Policy } from "../pipeline/Policy.ts"
import { Settings } from "../ports/Settings.ts"
import { Storage } from "../ports/Storage.ts"
import type { Running } from "../process/run.ts"
import { isWorker } from "../process/worker.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { HOST, LOG_FORMAT, LOG_LEVEL, PORT, SHUTDOWN_TIMEOUT_SECONDS } from "../settings/settings.ts"
import { storage } from "./storages.ts"

/** The app database, migrated, and what every process of an instance shares in it. */
export const control = Layer.mergeAll(PgSites.layer, PgAppSecret.layer).pipe(
  Layer.provideMerge(PgSettings.layer),
  Layer.provideMerge(Changes.layer),
  Layer.provideMerge(AppDatabase.layer)
)

/** The services of a collecting process that stores its events with `storage`, on top of `control`. */
export const collectingTo = <E, R>(storage: Layer.Layer<Storage, E, R>) =>
  PipelineEnv.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Policy.layer,
        MaxmindGeo.layer,
        LicenseGate.layer,
        RejectionRing.layer,
        TokenBuckets.layer,
        storage
      )
    ),
    Layer.provideMerge(control)
  )

/** The services of every process that collects events. */
export const collecting = collectingTo(storage)

/** The format and level of log lines, which are needed before anything else. */
export const logOptions = Effect.all({ format: fromEnvironment(LOG_FORMAT), level: fromEnvironment(LOG_LEVEL) })

/** What a process needs to know before it starts. */
export const processOptions = Effect.all({
  log: logOptions,
  listen: Effect.all({
    hostname: fromEnvironment(HOST),
    port: fromEnvironment(PORT),
    reusePort: Effect.sync(isWorker)
  })
})

/** What is needed to stop a collecting process. */
export const runningOf = (context: Context.Context<Settings | Storage>): Running => ({
  shutdownTimeoutSeconds: Context.get(context, Settings).get(SHUTDOWN_TIMEOUT_SECONDS),
  leftovers: Effect.map(Context.get(context, Storage).status, ({ inFlight, pendingRecords, spooled }) =>
    spooled !== undefined && pendingRecords === 0
      ? {
          what: `${spooled.bytes} bytes of accepted events are on the disk in ${spooled.folder}, and the next start flushes them`,
          areSafe: true
        }
      : {
          what: `${pendingRecords} records were not stored, ${inFlight} batches were being written`,
          areSafe: false
        }
  )
})
