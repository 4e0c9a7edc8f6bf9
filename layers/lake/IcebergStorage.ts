import { Effect, Layer, Redacted } from "effect"
import type { StartError } from "../../src/domain/StartError.ts"
import { Settings } from "../../src/ports/Settings.ts"
import { Storage } from "../../src/ports/Storage.ts"
import {
  LAKE_FLUSH_BATCH_SIZE,
  LAKE_FLUSH_BYTES,
  LAKE_FLUSH_INTERVAL_SECONDS,
  SHUTDOWN_TIMEOUT_SECONDS,
  SPOOL_MAX_BYTES,
  STORAGE_QUEUE_EVENTS,
  STORAGE_TIMEOUT_SECONDS
} from "../../src/settings/settings.ts"
import { spoolRoot } from "../../src/settings/spoolRoot.ts"
import { spooledStorage } from "../forward/spooledStorage.ts"
import { AppDatabase, DatabaseUrl } from "../postgres/client/Database.ts"
import type { SpoolOptions } from "../spool/Spool.ts"
import { lakeConfig } from "./config.ts"
import { openLakeDestination } from "./LakeDestination.ts"
import { encodeEvent, encodeIdentity } from "./records.ts"

export interface IcebergStorageOptions {
  /** How the spool accesses its folder; by default directly. */
  readonly files?: NonNullable<SpoolOptions["files"]>
  /** The folder of the spools; by default the one that the environment names. */
  readonly spoolFolder?: string
}

/**
 * Events in an Iceberg lake, through a spool on this machine's disk (`spooledStorage`): within the flush interval they are in the
 * tables, exactly once, because each commit that adds rows also sets how far the table has the spool. `threadEntry` is the program
 * of the thread that works on the lake.
 */
export const layer = (
  threadEntry: URL,
  { files, spoolFolder }: IcebergStorageOptions = {}
): Layer.Layer<Storage, StartError, AppDatabase | DatabaseUrl | Settings> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const settings = yield* Settings
      const { get } = settings
      const config = yield* lakeConfig(settings, Redacted.value((yield* DatabaseUrl).url))
      const root = spoolFolder ?? (yield* spoolRoot)
      return yield* spooledStorage(
        openLakeDestination(threadEntry, config),
        { encodeEvent, encodeIdentity },
        yield* AppDatabase,
        {
          backend: "iceberg",
          root,
          spool: {
            maxPending: get(STORAGE_QUEUE_EVENTS),
            maxBytes: get(SPOOL_MAX_BYTES),
            timeoutMs: get(STORAGE_TIMEOUT_SECONDS) * 1_000,
            ...(files === undefined ? {} : { files })
          },
          shutdownTimeoutMs: get(SHUTDOWN_TIMEOUT_SECONDS) * 1_000,
          flush: {
            intervalMs: get(LAKE_FLUSH_INTERVAL_SECONDS) * 1_000,
            batchSize: get(LAKE_FLUSH_BATCH_SIZE),
            bytes: get(LAKE_FLUSH_BYTES)
          }
        }
      )
    })
  )
