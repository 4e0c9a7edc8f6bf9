import { Context, Effect, Layer } from "effect"
import * as MaxmindGeo from "../../layers/geo/MaxmindGeo.ts"
import { RejectionRing } from "../../layers/inprocess/RejectionRing.ts"
import { TokenBuckets } from "../../layers/inprocess/TokenBuckets.ts"
import * as LicenseGate from "../../layers/license/LicenseGate.ts"
import { layerAppDatabase, layerDatabaseUrl } from "../../layers/postgres/client/connect.ts"
import { layer as changes } from "../../layers/postgres/control/Changes.ts"
import { layer as pgAppSecret } from "../../layers/postgres/control/PgAppSecret.ts"
import { layer as pgSettings } from "../../layers/postgres/control/PgSettings.ts"
import { layer as pgSites } from "../../layers/postgres/control/PgSites.ts"
import { Policy } from "../pipeline/Policy.ts"
import { Settings } from "../ports/Settings.ts"
import { Storage } from "../ports/Storage.ts"
import type { Running } from "../process/run.ts"
import { fromEnvironment } from "../settings/environment.ts"
import { LOG_FORMAT, LOG_LEVEL, SHUTDOWN_TIMEOUT_SECONDS } from "../settings/settings.ts"
import { storage } from "./storages.ts"

/** The app database, migrated, with what every process of an instance shares in it. */
export const control = Layer.mergeAll(pgSites, pgAppSecret).pipe(
  Layer.provideMerge(pgSettings),
  Layer.provideMerge(changes),
  Layer.provideMerge(layerAppDatabase),
  Layer.provideMerge(layerDatabaseUrl)
)

/** What every process that collects has: the pipeline's services and the storage, on top of `control`. */
export const collecting = Layer.mergeAll(
  Policy.layer,
  MaxmindGeo.layer,
  LicenseGate.layer,
  RejectionRing,
  TokenBuckets,
  storage
).pipe(Layer.provideMerge(control))

/** How log lines look, known before anything else is. */
export const logOptions = Effect.all({ format: fromEnvironment(LOG_FORMAT), level: fromEnvironment(LOG_LEVEL) })

/** What a collecting process tells about its end. */
export const runningOf = (context: Context.Context<Settings | Storage>): Running => ({
  shutdownTimeoutSeconds: Context.get(context, Settings).get(SHUTDOWN_TIMEOUT_SECONDS),
  leftovers: Effect.map(
    Context.get(context, Storage).status,
    ({ pendingRecords, inFlight }) =>
      `${pendingRecords} records were not stored, ${inFlight} batches were being written`
  )
})
